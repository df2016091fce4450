package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"coracle/internal/docgen"
)

// eachFlag calls f for each documented flag, with the name of its command, "" for global flags.
func eachFlag(f func(command string, f *flag)) {
	visit := func(command string, tables ...[]flag) {
		for _, table := range tables {
			for i := range table {
				if !table[i].hidden {
					f(command, &table[i])
				}
			}
		}
	}
	visit("", globalFlags, []flag{helpFlag, versionFlag})
	for _, c := range commands {
		visit(c.name, append(c.tables(), []flag{helpFlag})...)
	}
}

// helpOf returns the output of --help.
func helpOf(t *testing.T, command string) string {
	t.Helper()
	called, args := arrange(slices.DeleteFunc([]string{name, command, "--help"}, func(s string) bool { return s == "" }))
	var out strings.Builder
	app := newApp(called)
	app.Writer = &out
	if err := app.Run(args); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestFlagsEverywhere: each flag of each command is in the help, in the manual page and in the
// three completions, with all its names and choices, and with whether it can be repeated.
func TestFlagsEverywhere(t *testing.T) {
	pages := docgen.Files(documented(), "2026-11-24")
	help := map[string]string{}
	eachFlag(func(command string, f *flag) {
		if _, done := help[command]; !done {
			help[command] = helpOf(t, command)
		}
		for where, missing := range map[string]string{
			"the help":            missingInHelp(help[command], f),
			"the manual page":     missingInPage(pages["man/"+strings.TrimSuffix(name+"-"+command, "-")+".1"], f),
			"completions of bash": missingInBash(pages[name+".bash"], command, f),
			"completions of zsh":  missingInZsh(section(pages["_"+name], command), f),
			"completions of fish": missingInFish(pages[name+".fish"], command, f),
		} {
			if missing != "" {
				t.Errorf("%s --%s: %s: there is no %s", command, f.name, where, missing)
			}
		}
	})
}

func missingInHelp(help string, f *flag) string {
	var names []string
	for _, n := range f.names() {
		names = append(names, strings.TrimSpace(dashed(n)+" "+f.placeholder))
	}
	line := regexp.MustCompile(`(?m)^   ` + regexp.QuoteMeta(strings.Join(names, ", ")) + ` +` + regexp.QuoteMeta(f.usage) + `.*$`).FindString(help)
	switch {
	case line == "":
		return strings.Join(names, ", ")
	case strings.Contains(line, "may be repeated") != f.repeatable:
		return "agreement about repeating it"
	case f.choices != nil && !strings.Contains(line, either(f.choices)):
		return either(f.choices)
	}
	return ""
}

func missingInPage(page string, f *flag) string {
	page = strings.ReplaceAll(page, `\-`, "-")
	var heads []string
	for _, n := range f.names() {
		head := `\fB` + dashed(n) + `\fR`
		if f.takesValue() {
			head += ` \fI` + f.placeholder + `\fR`
		}
		heads = append(heads, head)
	}
	_, item, found := strings.Cut(page, ".TP\n"+strings.Join(heads, ", ")+"\n")
	item, _, _ = strings.Cut(item, "\n.")
	switch {
	case !found:
		return strings.Join(heads, ", ")
	case strings.Contains(item, "several times") != f.repeatable:
		return "agreement about repeating it"
	case f.choices != nil && !strings.Contains(item, either(f.choices)):
		return either(f.choices)
	}
	return ""
}

func missingInBash(script, command string, f *flag) string {
	label := command
	if label == "" {
		label = "''"
	}
	offered := regexp.MustCompile(`\t` + regexp.QuoteMeta(label) + `\) words='(--.*)' ;;`).FindStringSubmatch(script)
	var patterns []string
	for _, n := range f.names() {
		if offered == nil || !slices.Contains(strings.Fields(offered[1]), dashed(n)) {
			return dashed(n)
		}
		patterns = append(patterns, fmt.Sprintf("%q", command+" "+dashed(n)))
	}
	head := "\t" + strings.Join(patterns, " | ") + ")\n"
	switch {
	case f.takesValue() != strings.Contains(script, head):
		return head
	case f.choices != nil && !strings.Contains(script, head+"\t\t\tmapfile -t COMPREPLY < <(compgen -W \""+strings.Join(f.choices, " ")+"\""):
		return strings.Join(f.choices, " ")
	}
	return ""
}

// section returns the part of the zsh completion for a command, or for the program.
func section(script, command string) string {
	start := "_arguments -C -S"
	if command != "" {
		start = "\t\t" + command + ")\n"
	}
	_, script, _ = strings.Cut(script, start)
	script, _, _ = strings.Cut(script, "\t;;\n")
	return script
}

func missingInZsh(section string, f *flag) string {
	for _, n := range f.names() {
		var spec string
		switch names := f.names(); {
		case f.repeatable:
			spec = "'*"
		case len(names) > 1:
			spec = "'(" + dashed(names[0])
			for _, other := range names[1:] {
				spec += " " + dashed(other)
			}
			spec += ")"
		default:
			spec = "'"
		}
		spec += dashed(n)
		if f.takesValue() && len(n) > 1 {
			spec += "="
		}
		spec += "["
		_, rest, found := strings.Cut(section, spec)
		rest, _, _ = strings.Cut(rest, "\n")
		switch {
		case !found:
			return spec
		case f.choices != nil && !strings.Contains(rest, "("+strings.Join(f.choices, " ")+")"):
			return strings.Join(f.choices, " ")
		}
	}
	return ""
}

func missingInFish(script, command string, f *flag) string {
	condition := "__coracle_needs_command"
	if command != "" {
		condition = "__coracle_in " + command
		if commandNamed(command).passesOn {
			condition = "__coracle_at " + command + " 1"
		}
	}
	line := "complete -c coracle -n '" + condition + "'"
	for _, n := range f.names() {
		if len(n) == 1 {
			line += " -s " + n
		} else {
			line += " -l " + n
		}
	}
	if f.choices != nil {
		line += " -x -a '" + strings.Join(f.choices, " ") + "'"
	}
	if !strings.Contains(script, line+" ") {
		return line
	}
	return ""
}

// TestHidden: flags for programs are not documented.
func TestHidden(t *testing.T) {
	for file, content := range docgen.Files(documented(), "2026-11-24") {
		for _, hidden := range []string{"criu", "kernel-memory"} {
			if strings.Contains(strings.ReplaceAll(content, `\-`, "-"), "--"+hidden) || strings.Contains(content, "-l "+hidden) {
				t.Errorf("%s has --%s", file, hidden)
			}
		}
	}
}
