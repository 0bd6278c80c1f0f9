"""Still pictures: single files and folders."""
