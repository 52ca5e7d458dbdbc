"""Figures as people read them; what is not known is a dash, never a zero."""

from __future__ import annotations

__all__ = ["BLANK", "bar", "count", "money", "percent", "price", "seconds", "size"]

BLANK = "-"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def money(usd: float | None) -> str:
    """US dollars with as many digits as matter.

    >>> money(12.345), money(0.01234), money(0.0000123), money(0), money(None)
    ('$12.35', '$0.0123', '$0.0000123', '$0', '-')
    """
    if usd is None:
        return BLANK
    if usd == 0:
        return "$0"
    digits = 2
    while digits < 9 and usd < 10 ** (2 - digits):
        digits += 1
    return f"${usd:,.{digits}f}"


def price(usd_per_1m: float | None) -> str:
    """USD per million tokens, as price lists have it.

    >>> price(0.075), price(15), price(None)
    ('0.075', '15.00', '-')
    """
    if usd_per_1m is None:
        return BLANK
    return f"{usd_per_1m:.2f}" if round(usd_per_1m, 2) == usd_per_1m else f"{usd_per_1m:g}"


def percent(share: float | None) -> str:
    """A share in percent; only what is exactly none or all says so.

    >>> percent(0.873), percent(0.004), percent(0.9999), percent(0), percent(1), percent(None)
    ('87 %', '<1 %', '>99 %', '0 %', '100 %', '-')
    """
    if share is None:
        return BLANK
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def seconds(value: float | None) -> str:
    """A duration in the unit that fits.

    >>> seconds(0.0421), seconds(1.234), seconds(75), seconds(None)
    ('42 ms', '1.23 s', '75 s', '-')
    """
    if value is None:
        return BLANK
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def count(tokens: int | None) -> str:
    """A number of tokens, short.

    >>> count(1_048_576), count(128_000), count(512), count(None)
    ('1.0M', '128k', '512', '-')
    """
    if tokens is None:
        return BLANK
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.1f}M"
    return f"{tokens / 1000:.0f}k" if tokens >= 1000 else str(tokens)


def size(held_bytes: int | None) -> str:
    """A number of bytes in the unit that fits.

    >>> size(512), size(12_345), size(3_210_000_000), size(None)
    ('512 B', '12.3 kB', '3.2 GB', '-')
    """
    if held_bytes is None:
        return BLANK
    amount, unit = float(held_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{held_bytes} B" if unit == "B" else f"{amount:.1f} {unit}"


def bar(share: float, *, width: int) -> str:
    """A bar of blocks, to an eighth of a character.

    >>> bar(0.5, width=4), bar(1, width=4), bar(0, width=2)
    ('██  ', '████', '  ')
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)
