package docgen

import (
	"fmt"
	"strings"
)

// fish returns a completion for fish.
func fish(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# fish completion of %[1]s; made from the definitions of the commands, see docgen.

# __%[1]s_words prints the command and its arguments so far, without options.
function __%[1]s_words
	set -l skip no
	set -l seen
	for word in (commandline -opc)[2..-1]
		if test $skip = yes
			set skip no
			continue
		end
		if string match -q -- '-*' $word; and begin; test (count $seen) -lt 2; or not contains -- $seen[1] %[3]s; end
			switch "$seen[1] $word"
				case %[2]s
					set skip yes
			end
			continue
		end
		set -a seen $word
	end
	string join \n -- $seen
end

function __%[1]s_needs_command
	test (count (__%[1]s_words)) -eq 0
end

# __%[1]s_at COMMAND N reports whether the argument N of a command is to be completed.
function __%[1]s_at
	set -l words (__%[1]s_words)
	test "$words[1]" = $argv[1]; and test (count $words) -eq $argv[2]
end

# __%[1]s_in COMMAND reports whether the command line is that of a command.
function __%[1]s_in
	set -l words (__%[1]s_words)
	test "$words[1]" = $argv[1]
end

function __%[1]s_ids
	set -l words (commandline -opc)
	set -l root
	for i in (seq 2 (count $words))
		if string match -q -- '--root=*' $words[$i]
			set root $words[$i]
		else if test "$words[$i]" = --root; and test $i -lt (count $words)
			set root --root $words[(math $i + 1)]
		end
	end
	$words[1] $root list --quiet 2>/dev/null
end

complete -c %[1]s -f
`, p.Name, strings.ReplaceAll(strings.Join(valuePatterns(p), " "), `"`, "'"), strings.Join(p.passingOn(), " "))
	fishOptions(&b, p.Name, fmt.Sprintf("__%s_needs_command", p.Name), p.Flags)
	for _, c := range p.Commands {
		fmt.Fprintf(&b, "complete -c %s -n __%s_needs_command -a %s -d %s\n", p.Name, p.Name, c.Name, fquote(c.Usage))
		condition := fmt.Sprintf("__%s_in %s", p.Name, c.Name)
		if c.PassesOn {
			condition = fmt.Sprintf("__%s_at %s 1", p.Name, c.Name)
		}
		fishOptions(&b, p.Name, condition, c.Flags)
		for i, a := range c.Arguments {
			condition := fquote(fmt.Sprintf("__%s_at %s %d", p.Name, c.Name, i+1))
			switch {
			case a.Value.Kind == Container:
				fmt.Fprintf(&b, "complete -c %s -n %s -a '(__%s_ids)'\n", p.Name, condition, p.Name)
			case a.Value.Words != nil:
				fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", p.Name, condition, fquote(strings.Join(a.Value.Words, " ")))
			}
		}
	}
	return b.String()
}

func fishOptions(b *strings.Builder, program, condition string, options []Flag) {
	for _, o := range options {
		fmt.Fprintf(b, "complete -c %s -n %s", program, fquote(condition))
		for _, n := range o.Names {
			if len(n) == 1 {
				b.WriteString(" -s " + n)
			} else {
				b.WriteString(" -l " + n)
			}
		}
		if o.Placeholder != "" {
			switch {
			case o.Value.Kind == Directory:
				b.WriteString(" -x -a '(__fish_complete_directories)'")
			case o.Value.Kind == File:
				b.WriteString(" -r -F")
			case o.Value.Words != nil:
				b.WriteString(" -x -a " + fquote(strings.Join(o.Value.Words, " ")))
			default:
				b.WriteString(" -x")
			}
		}
		b.WriteString(" -d " + fquote(o.Usage) + "\n")
	}
}

func fquote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
