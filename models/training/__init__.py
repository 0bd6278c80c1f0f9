"""Training, fine-tuning, distillation and averaging."""
