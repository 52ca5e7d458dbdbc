"""F. What load, time and the process itself do; the proof of each is a test of its own."""

from __future__ import annotations

from fault_row import Proven

__all__ = ["LOAD"]

# fmt: off
LOAD = [
    Proven(65, "vectors: wrong count, order, length, NaN, an index twice", "ordered by index; else `malformed_response`", "faults/test_fault_lists.py::test_vectors_that_do_not_fit_the_texts_are_a_fault"),
    Proven(66, 'list of models: empty, 10^5 entries, duplicates, no ids, price "-1"', "what is no model is left out and counted, the rest stays", "faults/test_fault_lists.py::test_a_list_of_models_is_read_as_far_as_it_makes_sense"),
    Proven(19, "every provider out of reach within two seconds", "it is our own network: no model is blamed, the next call tries again", "models/test_local_network.py::test_over_real_sockets"),
    Proven(82, "the date jumps by a day", "no interval changes", "models/test_outages.py::test_a_date_that_jumps_by_a_day_changes_nothing"),
    Proven(83, "another event loop; a fork after the first call", "each loop and process has connections of its own", "models/test_loops_and_forks.py::test_a_forked_child_starts_afresh"),
    Proven(84, "SIGTERM with calls under way", "they are answered first, new ones refused", "models/test_draining.py::test_a_script_that_is_told_to_go_answers_first"),
    Proven(85, "10,000 equal prompts at once", "one call upstream", "caches/test_cache_flights.py::test_ten_thousand_equal_calls_are_one_within_20_mb"),
    Proven(86, "10,000 different prompts, slow models", "a bounded queue, fair between tenants; `CapacityError` beyond", "models/test_admission_queue.py::test_a_flood_is_bounded_shed_and_fair"),
    Proven(87, "the caller leaves", "the connection is closed, nothing stays in flight", "models/test_cancelling.py::test_nothing_is_left_of_a_hundred_calls_given_up"),
    Proven(88, "the caller stops reading a stream", "the sender is held up, nothing piles up", "models/test_cancelling.py::test_who_reads_slowly_holds_the_provider_up"),
    Proven(89, "a hedge: both answer, one fails late", "one answer; the loser is called off and not to blame; both are paid for", "models/test_hedging.py::test_both_are_paid_for_and_the_loser_is_not_to_blame"),
    Proven(90, "all models down", "the least bad is tried; one error names each and why", "models/test_outages.py::test_when_all_are_down_one_error_names_each_model_and_why"),
    Proven(91, "a model that flaps, 10 s up, 10 s down", "chosen for at most 15 % of calls", "models/test_outages.py::test_a_flapping_model_is_chosen_little"),
    Proven(92, "a model that is slow and does not fail", "slow answers count as failures", "models/test_outages.py::test_slow_answers_count_as_failures"),
    Proven(93, "probes that cost", "lists of models, which are free; paid ones stay below 1 % of what is spent", "models/test_probes.py::test_a_paid_probe_is_a_call_and_stays_below_one_per_cent"),
    Proven(94, "the checks die", "started again, and seen in the health", "models/test_probes.py::test_checks_that_die_are_started_again_and_seen"),
    Proven(95, "a rating that is no number in [0, 1]", "refused, nothing changes", "models/test_ratings.py::test_what_is_no_quality_is_refused_and_changes_nothing"),
    Proven(95, "a latency, cost or count that is NaN, infinite or negative", "dropped and counted; every figure stays a number", "reliability/test_numbers.py::test_poisoned_outcomes_leave_every_figure_a_number"),
    Proven(96, "ratings late, twice, for nobody's answer", "counted once; memory bounded by count and age", "models/test_ratings.py::test_memory_of_answers_is_bounded_by_count_and_age"),
    Proven(97, "a reload with a bad file", "the old settings stay", "settings/test_reloading.py::test_a_bad_file_changes_nothing"),
    Proven(98, "a plug-in raises", "a failure with its name; routing goes on", "models/test_health.py::test_a_health_check_that_raises_is_a_failure_with_its_name"),
    Proven(98, "a plug-in blocks the event loop for a second", "health says so (`health.loop_lag`); nobody is blamed, calls go on", "reliability/test_blocked_loop.py::test_a_plug_in_that_holds_the_loop_up_is_seen_and_nobody_is_blamed"),
    Proven(99, "the collector of spans is down", "the queue is bounded, what does not fit is dropped, nobody waits", "telemetry/test_exporting.py::test_a_collector_that_is_down_costs_no_request"),
    Proven(99, "an exporter raises", "logged, not felt", "telemetry/test_exporting.py::test_an_exporter_that_raises_costs_no_request"),
    Proven(100, "a body over the limit; JSON that is none", "413; 400 that says what is wrong", "gateway/test_requests.py::test_a_body_over_the_limit_is_refused_with_413"),
    Proven(100, "a client that reads slowly", "holds up its own provider's stream, and nobody else", "gateway/test_streams.py::test_a_client_that_reads_slowly_slows_the_provider_and_nobody_else"),
    Proven(100, "a slow watcher of the dashboard", "misses frames and starts anew", "gateway/test_dashboard.py::test_a_slow_watcher_misses_frames_and_starts_anew"),
    Proven(100, "a thousand watchers", "one look for all of them", "gateway/test_dashboard.py::test_a_thousand_watchers_are_one_look"),
]
# fmt: on
