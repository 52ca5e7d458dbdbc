"""D and E. What Redis, the disk and the process do to what is remembered; the proof of each is a test of its own."""

from __future__ import annotations

from fault_row import Proven

__all__ = ["STORES"]

_REDIS, _DISK = "caches/test_redis_faults.py", "caches/test_disk_faults.py"
_LOST, _FILE = "state/test_redis_lost.py", "state/test_sqlite_file.py"

# fmt: off
STORES = [
    Proven(67, "Redis is down at the start", "one warning; misses; found when it comes", f"{_REDIS}::test_absent_at_start_costs_nothing_and_is_found_when_it_comes"),
    Proven(67, "Redis is down at the start, and state is shared through it", "each process goes on alone and shares later what it has learnt", f"{_LOST}::test_redis_that_is_down_at_the_start_is_found_when_it_comes"),
    Proven(68, "Redis dies in mid-run", "a miss; soon nobody asks it", f"{_REDIS}::test_gone_in_mid_run_is_a_miss"),
    Proven(68, "every connection breaks while news of state is on its way", "nothing is lost, nothing counted twice", f"{_LOST}::test_a_line_cut_in_the_middle_of_news_loses_and_doubles_nothing"),
    Proven(68, "the caller leaves while its lease is on the way", "the lease is given back, the next one asks", f"{_REDIS}::test_a_caller_that_leaves_while_its_lease_is_on_the_way_leaves_none_behind"),
    Proven(69, "Redis is slow or stopped (CLIENT PAUSE, SIGSTOP)", "a miss after 40 ms; after three of them nobody waits", f"{_REDIS}::test_slow_is_a_miss_and_soon_nobody_waits"),
    Proven(69, "Redis takes state and never answers", "told again, counted once; nobody waits", f"{_LOST}::test_an_answer_that_never_comes_back_is_asked_for_again_and_counts_once"),
    Proven(70, "garbage, a foreign type, an entry of another key", "a miss, dropped and counted", f"{_REDIS}::test_garbage_under_our_key_is_a_miss_and_is_dropped"),
    Proven(70, "a bit flips", "noticed by the checksum: a miss", f"{_REDIS}::test_every_flipped_bit_is_noticed"),
    Proven(71, "wrong password, READONLY, out of memory", "a miss or a write that is skipped; told by cause, once", f"{_REDIS}::test_a_refusal_is_named_once_and_hurts_nobody"),
    Proven(71, "Redis still loads", "a miss until it has", f"{_REDIS}::test_a_redis_that_still_loads_is_a_miss_and_serves_when_it_has"),
    Proven(71, "Redis is one node of a Cluster (MOVED)", "told so; works as a Cluster when it is named one", f"{_REDIS}::test_a_redis_of_a_cluster_says_so_and_hurts_nobody"),
    Proven(72, "an empty replica takes over", "equal questions are still one in each process", f"{_REDIS}::test_an_empty_replica_makes_no_more_calls_than_there_are_processes"),
    Proven(72, "an empty replica takes over, and state is shared through it", "the first who knows brings it back, once", f"{_LOST}::test_a_redis_that_has_forgotten_everything_is_told_again_once"),
    Proven(73, "news of state lost, late, twice or out of order", "in the end all know the number of calls there were", "state/test_learning_together.py::test_nothing_is_lost_or_counted_twice_on_a_bad_line"),
    Proven(74, "who holds a lease dies", "it runs out and a follower takes over; nobody gives back another's", f"{_REDIS}::test_the_lease_of_a_dead_holder_runs_out"),
    Proven(74, "a worker is killed while it writes state to Redis", "each call that was told to be safe counts, once", f"{_LOST}::test_workers_killed_in_the_middle_of_writing_lose_no_acknowledged_call"),
    Proven(75, "two fleets in one Redis; names made to break out", "a namespace each, keys are hashes: they never meet", f"{_REDIS}::test_two_namespaces_in_one_redis_never_meet"),
    Proven(75, "two fleets share state in one Redis", "a namespace each: they never meet", f"{_LOST}::test_two_fleets_in_one_redis_do_not_meet"),
    Proven(76, "no permission, read-only, the path is a file", "the level is off, one warning", f"{_DISK}::test_an_unsafe_place_turns_the_level_off_with_one_warning"),
    Proven(76, "the disk is full", "writing stops, reading goes on", f"{_DISK}::test_a_full_disk_stops_writing_and_goes_on_reading"),
    Proven(77, "the file is damaged (header, page, log, empty)", "set aside or mended; nothing wrong is read", f"{_DISK}::test_a_damaged_file_is_set_aside_or_mended_and_nothing_wrong_is_read"),
    Proven(78, "another process has the file locked", "a miss after 250 ms", f"{_DISK}::test_a_locked_file_is_a_miss_and_no_error"),
    Proven(79, "kill -9 in mid-write, two hundred times", "the file opens; an entry is whole or absent", f"{_DISK}::test_two_hundred_killed_writers_leave_no_wrong_value"),
    Proven(79, "kill -9 while state is written", "each call that was told to be safe counts, once", f"{_FILE}::test_a_process_killed_in_the_middle_of_writing_loses_no_acknowledged_call"),
    Proven(80, "a symlink, a folder open to all, something else in its place", "refused, one warning; what is ours is 0600 in a folder 0700", f"{_DISK}::test_an_unsafe_place_turns_the_level_off_with_one_warning"),
    Proven(80, "the file belongs to somebody else", "what others may write is not read", f"{_DISK}::test_a_foreign_owner_is_refused"),
    Proven(81, "the state's file is torn, or of a newer version", "set aside, or refused; never overwritten", f"{_FILE}::test_a_damaged_file_is_set_aside_and_a_newer_one_refused"),
    Proven(81, "the registry's file, and the process is killed while it writes", "a whole file, old or new", "models/test_storage.py::test_a_killed_process_leaves_a_whole_file"),
]
# fmt: on
