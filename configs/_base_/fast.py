# Behind any recipe in `_base_`: frozen generators and CLIPs compute in bfloat16, where the
# processor or the GPU does so by itself, as with --fast. What is trained stays in float32.
fast = True
