"""A tiny model, made here and saved to disk as any other would be."""

import pytest
from tiny_model import TEMPLATE, model_of, taught, tokenizer_of


@pytest.fixture(scope="session")
def transformers():
    """The library, where it is installed."""
    pytest.importorskip("torch", reason="no torch here: make test-local installs it")
    return pytest.importorskip("transformers", reason="no transformers here: make test-local installs it")


@pytest.fixture(scope="session")
def tiny(transformers, tmp_path_factory):
    """The folder: 256 tokens of window, a chat template, and one answer to whatever is asked."""
    import torch

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tokenizer_of(transformers)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.set_num_threads(1)  # small matrices, and other tests want the processor too
    torch.manual_seed(7)
    taught(model_of(transformers, len(tokenizer)), tokenizer).save_pretrained(folder)
    return folder
