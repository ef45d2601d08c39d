"""Generated requests with their meaning: what the reader's memory is trained on."""
