"""Splits a table of labelled points, shuffled by a seed, into train.csv and test.csv of a folder."""

import argparse
import csv
import os
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("points")
parser.add_argument("folder")
parser.add_argument("--split", type=float, required=True, help="share of the test set")
parser.add_argument("--seed", type=int, required=True)
args = parser.parse_args()

with open(args.points, newline="") as file:
    header, *rows = csv.reader(file)
random.Random(args.seed).shuffle(rows)
tests = int(len(rows) * args.split)
os.makedirs(args.folder, exist_ok=True)
for name, part in {"test": rows[:tests], "train": rows[tests:]}.items():
    with open(os.path.join(args.folder, f"{name}.csv"), "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *part])
print(f"{len(rows) - tests} points to train with, {tests} to test with")
