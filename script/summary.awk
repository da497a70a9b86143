# Prints the summary lines of the test runners in a log, each as `part: line`, then a line
# `PASSED FAILED SKIPPED` with the number of tests. It knows swift-testing, XCTest, node's runner (TAP and spec) and pytest; libFuzzer is only shown.
#   awk -v part=NAME -f script/summary.awk LOG

{ gsub(/\033\[[0-9;]*[A-Za-z]/, ""); sub(/\r$/, "") }

# swift-testing. A line may come twice with a title before it; the same words are then the same run.
/(^|: |^[^A-Za-z0-9]+ )Test run with [0-9]+ tests?.* (passed|failed) after / {
    if ($0 in seen) next
    seen[$0] = 1
    show()
    swift += number("Test run with [0-9]+ test")
    if ($0 ~ /failed after/) failed_runs++
    next
}
/^[^A-Za-z0-9]+ Test .* failed after / && !/ Test case / { swift_failed++; next }

# They are among the tests of the run.
/^[^A-Za-z0-9]+ Test .* skipped[.:]/ && !/ Test case / { swift_skipped++; next }

# XCTest: a line for each suite and one for all, which comes last.
/^[ \t]*Executed [0-9]+ tests?, with / {
    xctest = number("Executed [0-9]+ test")
    xctest_failed = number("with ([0-9]+ tests? skipped and )?[0-9]+ failure")
    xctest_skipped = number("with [0-9]+ tests? skipped")
    xctest_line = $0
    next
}

# node.
/^(#|ℹ) (pass|fail|cancelled|skipped) [0-9]+$/ {
    if ($2 == "skipped") { skipped += $3; next }
    if ($2 == "pass") { passed += $3; show() } else { failed += $3; if ($3 > 0 || $2 == "fail") show() }
    next
}

# pytest.
/(^|[ =])([0-9]+ (passed|failed|skipped|errors?|deselected|xfailed|xpassed|warnings?)(, )?)+ in [0-9.]+s/ {
    passed += number("[0-9]+ passed")
    failed += number("[0-9]+ failed") + number("[0-9]+ error")
    skipped += number("[0-9]+ skipped")
    show()
    next
}

/^Done [0-9]+ runs in / { show() }

END {
    if (xctest > 0) {
        print part ": " xctest_line
        passed += xctest - xctest_failed - xctest_skipped
        failed += xctest_failed
        skipped += xctest_skipped
    }
    # A run can fail outside of a test.
    if (failed_runs > 0 && swift_failed == 0) swift_failed = failed_runs
    swift_passed = swift - swift_failed - swift_skipped
    print passed + (swift_passed > 0 ? swift_passed : 0), failed + swift_failed, skipped + swift_skipped
}

function show() { print part ": " $0 }

# The last number in what the expression matches, 0 if it does not.
function number(expression,    text, parts, count, index_, last) {
    if (!match($0, expression)) return 0
    text = substr($0, RSTART, RLENGTH)
    count = split(text, parts, /[^0-9]+/)
    for (index_ = 1; index_ <= count; index_++) if (parts[index_] != "") last = parts[index_]
    return last + 0
}
