package docgen

import (
	"fmt"
	"strings"
)

// zsh is a completion for its system of functions, compsys.
func zsh(p program) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef %[1]s
# zsh completion of %[1]s; made from the definitions of the commands, see docgen.

# _%[1]s_ids completes the ids of the containers in the state root of the command line.
_%[1]s_ids() {
	local -a ids root
	[[ -n $%[1]s_root ]] && root=(--root ${(q)%[1]s_root})
	ids=(${(f)"$(_call_program containers ${(q)%[1]s_program} $root list --quiet 2>/dev/null)"})
	compadd -a ids
}

_%[1]s() {
	local curcontext=$curcontext state line %[1]s_program=$words[1] %[1]s_root
	local -A opt_args
	local -a commands
	commands=(
`, p.name)
	for _, c := range p.commands {
		fmt.Fprintf(&b, "\t\t%s\n", zquote(c.name+":"+c.usage))
	}
	b.WriteString("\t)\n\t_arguments -C -S \\\n")
	zshOptions(&b, p.flags, "\t\t")
	fmt.Fprintf(&b, `		'1: :->command' \
		'*:: :->arguments' && return
	%[1]s_root=${(Q)opt_args[--root]}
	case $state in
	command) _describe command commands ;;
	arguments)
		curcontext=${curcontext%%:*:*}:%[1]s-$words[1]:
		case $words[1] in
`, p.name)
	for _, c := range p.commands {
		end := "" // where options end
		if c.passesOn() {
			end = " -A '-*'"
		}
		fmt.Fprintf(&b, "\t\t%s)\n\t\t\t_arguments -S%s \\\n", c.name, end)
		zshOptions(&b, c.flags, "\t\t\t\t")
		if c.takesID() {
			fmt.Fprintf(&b, "\t\t\t\t'1:container:_%s_ids'", p.name)
		} else {
			b.WriteString("\t\t\t\t'1: :'")
		}
		if c.takesSignal() {
			fmt.Fprintf(&b, " \\\n\t\t\t\t'2:signal:(%s)'", strings.Join(signals(), " "))
		}
		b.WriteString("\n\t\t\t;;\n")
	}
	fmt.Fprintf(&b, "\t\tesac\n\t\t;;\n\tesac\n}\n\n_%s \"$@\"\n", p.name)
	return b.String()
}

// zshOptions writes the options as arguments of _arguments.
func zshOptions(b *strings.Builder, options []option, indent string) {
	for _, o := range options {
		for _, n := range o.names {
			b.WriteString(indent)
			spec := ""
			if o.repeated {
				spec = "*"
			} else if len(o.names) > 1 {
				var others []string
				for _, other := range o.names {
					others = append(others, dashed(other))
				}
				spec = "(" + strings.Join(others, " ") + ")"
			}
			spec += dashed(n)
			if o.placeholder != "" && len(n) > 1 {
				spec += "=" // --name value and --name=value
			}
			spec += "[" + strings.NewReplacer("[", `\[`, "]", `\]`).Replace(o.usage) + "]"
			if o.placeholder != "" {
				spec += ":" + strings.ReplaceAll(o.placeholder, ":", `\:`) + ":"
				switch {
				case o.kind == directories:
					spec += "_files -/"
				case o.kind == files:
					spec += "_files"
				case o.words != nil:
					spec += "(" + strings.Join(o.words, " ") + ")"
				}
			}
			b.WriteString(zquote(spec) + " \\\n")
		}
	}
}

func zquote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
