"""Writes the share of points that a model classifies rightly."""

import argparse
import csv
import json

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model")
parser.add_argument("points")
parser.add_argument("metrics")
args = parser.parse_args()

with open(args.model) as file:
    bias, wx, wy = json.load(file)["weights"]
with open(args.points, newline="") as file:
    right = [(bias + wx * float(r["x"]) + wy * float(r["y"]) > 0) == (r["label"] == "1") for r in csv.DictReader(file)]
accuracy = sum(right) / len(right)
with open(args.metrics, "w") as file:
    json.dump({"accuracy": accuracy, "points": len(right)}, file)
    file.write("\n")
print(f"accuracy {accuracy:.3f} of {len(right)} points")
