"""Language models: files, weights, decoder, tokenizer, chat template. Start at `base.py`."""
