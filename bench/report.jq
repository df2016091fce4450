# Makes a table of the report of bench/run: --arg format text or markdown.

# ratio is a number with two digits after the point.
def fixed($digits): pow(10; $digits) as $p | (. * $p | round) as $n
	| if $digits == 0 then "\($n)" else "\($n / $p | floor)." + ("000\($n % $p)" | .[-$digits:]) end;
def shown($unit): if . == null then "-"
	elif $unit == "ms" or $unit == "s" then fixed(2) + " " + $unit
	elif $unit == "" then fixed(0) else fixed(0) + " " + $unit end;
def ratio($of): if . == null or $of == null or $of == 0 then null else . / $of end;
def ratio_text: if . == null then "-" else fixed(2) end;

# limits are the limits of a row: what is compared, with how much, and what the target says.
def limits: . as $row | [
	(.target.crun // empty | {is: ($row.values.coracle | ratio($row.values.crun)), most: ., text: "<= \(.) crun"}),
	(.target.runc // empty | {is: ($row.values.coracle | ratio($row.values.runc)), most: ., text: "<= \(.) runc"}),
	(.target.most // empty | {is: $row.values.coracle, most: ., text: ($row.target.text // "<= \(.) \($row.unit)")})];
def verdict: limits | if length == 0 then "" elif any(.is != null and .is > .most) then "missed"
	elif any(.is == null) then "?" else "met" end;
def target: limits | map(.text) | join(", ");

def cells: .unit as $unit | .values as $v | [.title, ($v.coracle, $v.crun, $v.runc, $v.floor | shown($unit)),
	($v.coracle | ratio($v.crun), ratio($v.runc), ratio($v.floor) | ratio_text), target, verdict];

def pad($n): . + (" " * ([$n - length, 0] | max));
def lpad($n): (" " * ([$n - length, 0] | max)) + .;
["", "coracle", "crun", "runc", "floor", "/crun", "/runc", "/floor", "target", ""] as $head
| "kernel \(.machine.kernel), \(.machine.cpus) CPUs (\(.machine.cpu)), cgroup v\(.machine.cgroups), load \(.machine.load[0]) before and \(.machine.load[1]) after, \(.machine.date)",
	"coracle at \(.commit); " + (.versions | to_entries | map("\(.key) \(.value)") | join("; ")),
	"times: medians of \(.samples) samples, in turns of \(.batch)",
	"",
	if $format == "markdown" then
		"| " + ($head | join(" | ")) + " |", "|---|" + ("---:|" * 7) + "---|---|",
		(.rows[] | cells | "| " + join(" | ") + " |")
	else
		($head, (.rows[] | cells) | (.[0] | pad(46)) + (.[1:5] | map(lpad(12)) | join("")) + (.[5:8] | map(lpad(8)) | join("")) + "   " + (.[8] | pad(28)) + " " + .[9] | sub(" +$"; ""))
	end
