"""What halo-forge v1.3.0 got wrong where we do the same work, and the tests that show we don't have it.

An index: the faults have their tests where they belong; here a name that no longer exists is noticed.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FAULTS = {
    "sft train --config wants --data and overwrites the YAML": [
        "test_sft::test_a_config_alone_is_enough_and_only_what_is_typed_beats_it",
        "test_config::test_layers_are_laid_over_each_other_and_every_value_knows_its_source",
    ],
    "learning_rate 5e-5 is a text, found out after the model was loaded; shipped configs fail their own check": [
        "test_config::test_a_number_in_yaml_1_2_form_is_a_number",
        "test_config::test_every_shipped_config_loads",
        "test_bad_input::test_numbers_as_yaml_1_2_writes_them_are_numbers_and_a_dry_run_starts_nothing",
    ],
    "keys of the YAML that nobody reads": [
        "test_no_idle_key::test_every_key_of_the_raft_schema_is_read_where_it_acts",
        "test_sft::test_every_key_of_the_schema_is_read_where_the_command_acts",
        "test_config::test_keys_of_other_systems_are_told_where_they_went",
    ],
    "an adapter is continued on another base": [
        "test_models::test_a_conflicting_model_is_refused_and_both_are_named",
        "test_models::test_an_adapter_of_another_shape_is_refused_before_anything_loads",
        "test_end_to_end::test_a_run_continues_an_adapter_of_its_own_base",
    ],
    "verifiers that the parser accepts and the code does not know; arguments that transformers 5 refuses": [
        "test_bad_input::test_bad_input_is_refused_by_name",
        "test_training::test_an_update_moves_the_weights_and_lowers_the_loss_on_its_samples",
        "test_sft_end_to_end::test_a_training_learns_and_keeps_its_best",
    ],
    "ties of reward keep the first half of the prompts file; copies are trained on; so is reward 0": [
        "test_selection::test_a_hard_prompt_keeps_its_only_solution_beside_an_easy_one",
        "test_selection::test_the_order_of_rows_and_the_length_of_programs_have_no_say",
        "test_selection::test_global_takes_ties_by_the_seed_and_not_by_the_order_of_the_file",
        "test_selection::test_identical_programs_of_a_prompt_count_once_but_not_across_prompts",
        "test_loop::test_min_samples_never_trains_on_what_is_not_eligible",
    ],
    "statistics only at the end, half-written folders and torn lines taken as whole, a resume that changes the run": [
        "test_loop::test_a_run_that_was_cut_off_draws_and_verifies_nothing_twice_and_ends_the_same",
        "test_loop::test_an_empty_or_half_written_final_folder_is_not_complete",
        "test_ledger::test_a_torn_last_line_is_dropped_and_the_next_row_follows_the_whole_ones",
        "test_end_to_end::test_a_run_killed_at_three_moments_goes_on_without_doing_anything_twice",
        "test_end_to_end::test_a_signal_ends_a_run_within_seconds_and_leaves_nothing",
        "test_bad_input::test_bad_input_is_refused_by_name",
    ],
    "one or two optimizer steps under a warm-up of ten move nothing": [
        "test_training::test_few_samples_still_take_min_steps",
        "test_training::test_min_steps_takes_accumulation_then_batch_then_epochs_and_no_more_than_needed",
    ],
    "a program that ends early, prints what a good one prints, or has tests of its own is paid": [
        "test_hostile::test_an_attack_gets_its_status_and_nothing_survives_it",
        "test_verifiers::test_appended_tests_pass_only_when_they_came_to_their_end",
        "test_verifiers::test_a_program_gets_its_status_and_reward",
    ],
    "right answers at 0: fences, thoughts, prose, C as C++, helpers after main, bytes that are no UTF-8, a TMPDIR": [
        "test_extract::test_answers_as_models_write_them",
        "test_extract::test_helpers_after_main_braces_in_strings_and_define_before_include_stay",
        "test_verifiers::test_c_is_compiled_as_c_and_cpp_as_cpp",
        "test_verifiers::test_output_that_is_no_utf8_is_compared_byte_by_byte",
        "test_verifiers::test_the_temporary_folders_name_has_no_say",
        "test_conformance::test_programs_get_the_status_that_their_set_names",
        "test_conformance::test_raw_answers_come_to_the_verdict_of_their_code",
    ],
    "rewards depend on load; a missing compiler reads as bad code": [
        "test_verifiers::test_a_loaded_machine_changes_no_verdict",
        "test_verifiers::test_a_fault_of_ours_is_never_the_samples",
        "test_msvc::test_a_broken_connection_is_our_fault_and_what_it_left_is_removed",
        "test_verifiers::test_a_compiler_that_is_broken_is_our_fault_and_a_sample_that_says_so_is_not_believed",
    ],
    "generated code deletes files, reads tokens, leaves processes, floods the trainer": [
        "test_hostile::test_an_attack_gets_its_status_and_nothing_survives_it",
        "test_hostile::test_the_attacks_fail_the_same_way_for_an_ordinary_user",
    ],
    "labels of prompt, padding and a masked end token": [
        "test_training::test_the_labels_are_the_sampled_tokens_and_nothing_is_truncated",
        "test_training::test_eos_is_learned_only_where_it_was_sampled",
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_that_show_its_absence_exist(fault):
    for name in FAULTS[fault]:
        file, _, function = name.partition("::")
        tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
