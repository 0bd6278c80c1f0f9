"""Networks trained with Caffe, imported without Caffe."""
