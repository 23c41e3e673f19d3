"""Arguments of LLaMA-Factory that the trainer sets itself. The twin is domain/engines/llamafactory-arguments.ts."""

OWNED_KEYS = frozenset(
    {
        "stage", "do_train", "do_eval", "do_predict", "model_name_or_path", "adapter_name_or_path", "dataset",
        "dataset_dir", "eval_dataset", "media_dir", "tokenized_path", "output_dir", "overwrite_output_dir",
        "resume_from_checkpoint", "save_only_model", "save_strategy", "save_steps", "save_total_limit",
        "load_best_model_at_end", "logging_steps", "logging_strategy", "logging_first_step", "logging_nan_inf_filter",
        "report_to", "push_to_hub", "hub_model_id", "hub_token", "hf_hub_token", "ms_hub_token", "om_hub_token",
        "export_dir", "export_hub_model_id", "trust_remote_code", "seed", "data_seed", "max_steps", "max_samples",
        "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "num_train_epochs",
        "warmup_ratio", "cutoff_len", "use_ray", "use_cpu", "deepspeed", "ddp_timeout",
    }
)  # fmt: skip
"""Keys that attempt.json says elsewhere, or that would break a promise: where things are written, what can be resumed,
what is logged, what is sent out.
"""
