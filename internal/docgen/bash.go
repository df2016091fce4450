package docgen

import (
	"fmt"
	"strings"
)

// bash returns a completion that needs only bash itself.
func bash(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion of %[1]s; made from the definitions of the commands, see docgen.

# _%[1]s_ids prints the ids of the containers in the state root of the command line.
_%[1]s_ids() {
	local i root=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root | -root)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			root=(--root "${COMP_WORDS[i + 1]}")
			;;
		esac
	done
	"${COMP_WORDS[0]}" "${root[@]}" list --quiet 2>/dev/null
}

_%[1]s() {
	local cur prev command='' i arguments=0 skip='' words='' after=''
	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	# --option=value comes as three words.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == = ]]; then
			skip=yes
			continue
		fi
		if [[ -n $skip ]]; then
			skip=''
			continue
		fi
		if [[ -n $after || ${COMP_WORDS[i]} != -* ]]; then
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			else
				((arguments++))
				case $command in
				%[2]s) after=yes ;; # the options that follow are for another program
				esac
			fi
			continue
		fi
		case "$command ${COMP_WORDS[i]}" in
		?*" --") after=yes ;;
`, p.Name, orNothing(p.passingOn(), " | "))
	fmt.Fprintf(&b, "\t\t%s) [[ ${COMP_WORDS[i + 1]} == = ]] || skip=yes ;;\n", strings.Join(valuePatterns(p), " | "))
	b.WriteString(`		esac
	done
	if [[ -z $after ]]; then
		case "$command $prev" in
`)
	for _, c := range append([]Command{{Flags: p.Flags}}, p.Commands...) {
		for _, o := range c.Flags {
			if o.Placeholder == "" {
				continue
			}
			var action string
			switch {
			case o.Value.Kind == Directory:
				action = `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")`
			case o.Value.Kind == File:
				action = `compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")`
			case o.Value.Words != nil:
				action = fmt.Sprintf(`mapfile -t COMPREPLY < <(compgen -W "%s" -- "$cur")`, strings.Join(o.Value.Words, " "))
			}
			var patterns []string
			for _, n := range o.Names {
				patterns = append(patterns, fmt.Sprintf("%q", c.Name+" "+dashed(n)))
			}
			fmt.Fprintf(&b, "\t\t%s)\n", strings.Join(patterns, " | "))
			if action != "" {
				fmt.Fprintf(&b, "\t\t\t%s\n", action)
			}
			b.WriteString("\t\t\treturn\n\t\t\t;;\n")
		}
	}
	b.WriteString("\t\tesac\n\tfi\n\tif [[ $cur == -* && -z $after ]]; then\n\t\tcase $command in\n")
	for _, c := range append([]Command{{Flags: p.Flags}}, p.Commands...) {
		fmt.Fprintf(&b, "\t\t%s) words='%s' ;;\n", orEmpty(c.Name), strings.Join(allNames(c.Flags), " "))
	}
	fmt.Fprintf(&b, "\t\tesac\n\telse\n\t\tcase \"$command $arguments\" in\n\t\t\" 0\") words='%s' ;;\n", strings.Join(commandNames(p), " "))
	for _, c := range p.Commands {
		for i, a := range c.Arguments {
			position := fmt.Sprintf("%s %d", c.Name, i)
			switch {
			case a.Value.Kind == Container:
				fmt.Fprintf(&b, "\t\t%q) words=$(_%s_ids) ;;\n", position, p.Name)
			case a.Value.Words != nil:
				fmt.Fprintf(&b, "\t\t%q) words='%s' ;;\n", position, strings.Join(a.Value.Words, " "))
			}
		}
	}
	fmt.Fprintf(&b, `		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _%[1]s %[1]s
`, p.Name)
	return b.String()
}

func orEmpty(name string) string {
	if name == "" {
		return "''"
	}
	return name
}

// orNothing joins patterns. Without patterns it returns one that matches nothing.
func orNothing(patterns []string, separator string) string {
	if len(patterns) == 0 {
		return "''"
	}
	return strings.Join(patterns, separator)
}

// valuePatterns returns the options that have a value, each preceded by its command.
func valuePatterns(p Program) (patterns []string) {
	for _, c := range append([]Command{{Flags: p.Flags}}, p.Commands...) {
		for _, o := range c.Flags {
			for _, n := range o.Names {
				if o.Placeholder != "" {
					patterns = append(patterns, fmt.Sprintf("%q", c.Name+" "+dashed(n)))
				}
			}
		}
	}
	return patterns
}

func allNames(options []Flag) (names []string) {
	for _, o := range options {
		for _, n := range o.Names {
			names = append(names, dashed(n))
		}
	}
	return names
}

func commandNames(p Program) (names []string) {
	for _, c := range p.Commands {
		names = append(names, c.Name)
	}
	return names
}
