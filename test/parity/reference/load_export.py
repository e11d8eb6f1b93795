"""Loads an export with the Python that its README shows, and prints the logits of drawn images as JSON.

    python3 load_export.py FOLDER BATCH CHANNELS SIZE
"""
import json, os, re, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import torch
from make_reference import draw

folder, batch, channels, size = sys.argv[1], *map(int, sys.argv[2:])
os.chdir(folder)
with open('README.md') as file:
    lines = re.search(r'```python\n(.*?)```', file.read(), re.S).group(1)
scope = {}
exec(lines, scope)
model = scope['model'].double()
x = torch.from_numpy(draw('input', batch * channels * size * size)).reshape(batch, channels, size, size)
with torch.no_grad():
    print(json.dumps(model(x).tolist()))
