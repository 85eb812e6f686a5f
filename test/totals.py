"""Reads what go test -json prints: shows a line for each package and the output of what failed, and writes the numbers
of tests that passed, failed and were skipped into the file that is named."""

import json
import sys

passed = failed = skipped = 0
counted = {}  # tests of a package that came to their end
broken = set()  # packages with a test that failed
output = {}  # what was printed, by package and test


def show(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def end_of_test(action, package, test):
    global passed, failed, skipped
    counted[package] = counted.get(package, 0) + 1
    lines = output.pop((package, test), [])
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
    if action == "fail":
        if package not in broken:
            failed += 1  # it did not build, or it ended early
        for key in tests:  # among them a test that never came to its end
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
        show(line)  # go itself complains
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
