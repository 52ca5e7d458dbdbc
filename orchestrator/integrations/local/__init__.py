"""Models of Hugging Face's transformers in this process: loaded late, run in a thread of their own."""
