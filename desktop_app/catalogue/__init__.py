"""The models that the app can use: manifests, checksums, folders."""
