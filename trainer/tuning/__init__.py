"""After pre-training: fine-tuning on conversations (`sft`) and on preferences (`dpo`)."""
