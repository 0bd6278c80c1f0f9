"""The pictures of a folder: thumbnails, corrections by hand, and fine-tuning on them."""
