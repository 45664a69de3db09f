"""From a folder of downloads to grouped, split, decoded lesions."""
