package docgen

import (
	"fmt"
	"strings"
)

// zsh returns a completion for zsh's completion system, compsys.
func zsh(p Program) string {
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
`, p.Name)
	for _, c := range p.Commands {
		fmt.Fprintf(&b, "\t\t%s\n", zquote(c.Name+":"+c.Usage))
	}
	b.WriteString("\t)\n\t_arguments -C -S \\\n")
	zshOptions(&b, p.Flags, "\t\t")
	fmt.Fprintf(&b, `		'1: :->command' \
		'*:: :->arguments' && return
	%[1]s_root=${(Q)opt_args[--root]}
	case $state in
	command) _describe command commands ;;
	arguments)
		curcontext=${curcontext%%:*:*}:%[1]s-$words[1]:
		case $words[1] in
`, p.Name)
	for _, c := range p.Commands {
		end := "" // the marker of the end of options
		if c.PassesOn {
			end = " -A '-*'"
		}
		fmt.Fprintf(&b, "\t\t%s)\n\t\t\t_arguments -S%s \\\n", c.Name, end)
		zshOptions(&b, c.Flags, "\t\t\t\t")
		b.WriteString(strings.Join(zshArguments(p, c), " \\\n"))
		b.WriteString("\n\t\t\t;;\n")
	}
	fmt.Fprintf(&b, "\t\tesac\n\t\t;;\n\tesac\n}\n\n_%s \"$@\"\n", p.Name)
	return b.String()
}

// zshArguments returns the arguments of a command in the syntax of _arguments. There is at least
// one, because the first argument is never an option.
func zshArguments(p Program, c Command) (specs []string) {
	for i, a := range c.Arguments {
		switch {
		case a.Value.Kind == Container:
			specs = append(specs, fmt.Sprintf("\t\t\t\t'%d:container:_%s_ids'", i+1, p.Name))
		case a.Value.Words != nil:
			specs = append(specs, fmt.Sprintf("\t\t\t\t'%d:%s:(%s)'", i+1, strings.ToLower(a.Name), strings.Join(a.Value.Words, " ")))
		}
	}
	if len(specs) == 0 {
		return []string{"\t\t\t\t'1: :'"}
	}
	return specs
}

// zshOptions writes the options in the syntax of _arguments.
func zshOptions(b *strings.Builder, options []Flag, indent string) {
	for _, o := range options {
		for _, n := range o.Names {
			b.WriteString(indent)
			spec := ""
			if o.Repeatable {
				spec = "*"
			} else if len(o.Names) > 1 {
				var others []string
				for _, other := range o.Names {
					others = append(others, dashed(other))
				}
				spec = "(" + strings.Join(others, " ") + ")"
			}
			spec += dashed(n)
			if o.Placeholder != "" && len(n) > 1 {
				spec += "=" // --name value and --name=value
			}
			spec += "[" + strings.NewReplacer("[", `\[`, "]", `\]`).Replace(o.Usage) + "]"
			if o.Placeholder != "" {
				spec += ":" + strings.ReplaceAll(o.Placeholder, ":", `\:`) + ":"
				switch {
				case o.Value.Kind == Directory:
					spec += "_files -/"
				case o.Value.Kind == File:
					spec += "_files"
				case o.Value.Words != nil:
					spec += "(" + strings.Join(o.Value.Words, " ") + ")"
				}
			}
			b.WriteString(zquote(spec) + " \\\n")
		}
	}
}

func zquote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
