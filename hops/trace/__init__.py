"""Where a request goes now: what was seen of a running path, judged hop by hop. Values in, values out."""
