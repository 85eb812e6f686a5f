"""Reads the output of go test -json. Prints a line for each package and the output of failed tests, and writes the numbers
of passed, failed and skipped tests to a file. What internal/longtest leaves out of plain runs has failed: this is a full one."""

import json
import sys

passed = failed = skipped = 0
counted = {}  # finished tests, by package
broken = set()  # packages with a failed test
output = {}  # output, by package and test


def show(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def end_of_test(action, package, test):
    global passed, failed, skipped
    counted[package] = counted.get(package, 0) + 1
    lines = output.pop((package, test), [])
    if action == "skip" and any("set SESSION_TEST=all" in line for line in lines):
        action = "fail"
    if action == "pass":
        passed += 1
    elif action == "skip":
        skipped += 1
        reason = " ".join(line.strip() for line in lines if not line.lstrip().startswith(("=== ", "--- ")))
        show(f"skip {package} {test}: {reason}\n")
    else:
        failed += 1
        broken.add(package)
        show("".join(lines))


def end_of_package(action, package, seconds):
    global failed
    tests = [key for key in output if key[0] == package]
    if any("no tests to run" in line for line in output.get((package, ""), [])):
        action = "fail"
    if action == "fail":
        if package not in broken:
            failed += 1  # it did not build, or ended early
        for key in tests:  # including tests that did not finish
            show("".join(line for line in output[key] if line.split("\t")[0].rstrip() != "FAIL"))
    for key in tests:
        del output[key]
    if action == "fail" or package in counted:
        word = "FAIL" if action == "fail" else "ok  "
        show(f"{word} {package} ({counted.get(package, 0)} tests, {seconds:.1f} s)\n")


for line in sys.stdin:
    try:
        event = json.loads(line)
        action = event["Action"]
    except (ValueError, TypeError, KeyError):
        show(line)  # an error of go itself
        continue
    package, test = event.get("Package", ""), event.get("Test", "")
    if action == "build-output":
        show(event["Output"])
    elif action == "output":
        output.setdefault((package, test), []).append(event["Output"])
    elif action in ("pass", "fail", "skip"):
        if test:
            end_of_test(action, package, test)
        else:
            end_of_package(action, package, event.get("Elapsed", 0))

with open(sys.argv[1], "w") as totals:
    print(passed, failed, skipped, file=totals)
