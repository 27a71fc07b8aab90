"""From an address on the web, a folder or an archive to a batch in memory.

Finding, fetching, unpacking, reading and packing images. No TensorFlow.
"""
