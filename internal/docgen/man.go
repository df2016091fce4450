package docgen

import (
	"fmt"
	"strings"
)

// page writes a manual page with the macros of man(7).
type page struct{ strings.Builder }

func newPage(title, date, source string) *page {
	p := new(page)
	fmt.Fprintf(p, ".\\\" Made from the definitions of the commands; see docgen.\n")
	fmt.Fprintf(p, ".TH %s 1 %s %s %s\n", quoted(strings.ToUpper(title)), quoted(date), quoted(source), quoted("User Commands"))
	return p
}

func (p *page) section(name string) { fmt.Fprintf(p, ".SH %s\n", name) }

// text writes paragraphs. Indented lines are kept as they are.
func (p *page) text(text string) {
	for line := range strings.Lines(text) {
		p.WriteString(escaped(strings.TrimSuffix(line, "\n")) + "\n")
	}
}

// item writes an entry of a list: the head, in roff, and its text.
func (p *page) item(head, text string) {
	p.WriteString(".TP\n" + head + "\n")
	p.text(text)
}

// escaped escapes text for roff.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "→", `\(->`, "–", `\(en`, "…", `...`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// quoted returns text as the argument of a macro.
func quoted(text string) string { return `"` + strings.ReplaceAll(escaped(text), `"`, `\(dq`) + `"` }

func bold(text string) string   { return `\fB` + escaped(text) + `\fR` }
func italic(text string) string { return `\fI` + escaped(text) + `\fR` }

// argument returns an argument for the synopsis, in brackets when it is optional.
func argument(a Argument) string {
	text := italic(a.Name)
	if a.More {
		text += "..."
	}
	if a.Optional {
		text = "[" + text + "]"
	}
	return text
}

func (p *page) options(options []Flag) {
	for _, o := range options {
		var heads []string
		for _, n := range o.Names {
			head := bold(dashed(n))
			if o.Placeholder != "" {
				head += " " + italic(o.Placeholder)
			}
			heads = append(heads, head)
		}
		text := sentence(o.Usage)
		if o.Repeatable {
			text += " May be given several times."
		}
		if o.Default != "" {
			text += " Default: " + o.Default + "."
		}
		p.item(strings.Join(heads, ", "), text)
	}
}

// sentence turns a usage text into a sentence.
func sentence(usage string) string {
	if usage == "" {
		return ""
	}
	return strings.ToUpper(usage[:1]) + usage[1:] + "."
}

// programPage returns the page of the program.
func programPage(p Program, date string) string {
	m := newPage(p.Name, date, p.Name+" "+p.Version)
	m.section("NAME")
	m.WriteString(escaped(p.Name) + ` \- ` + escaped(p.Usage) + "\n")
	m.section("SYNOPSIS")
	m.WriteString(bold(p.Name) + " [" + italic("GLOBAL OPTION") + "]... " + italic("COMMAND") + " [" + italic("OPTION") + "]... [" + italic("ARGUMENT") + "]...\n")
	m.section("DESCRIPTION")
	m.text(p.Description)
	m.section("COMMANDS")
	for _, c := range p.Commands {
		m.item(bold(c.Name), sentence(c.Usage)+" See "+p.Name+"-"+c.Name+"(1).")
	}
	m.section("GLOBAL OPTIONS")
	m.text("These go before the command.")
	m.options(p.Flags)
	m.section("EXIT STATUS")
	m.item("0", "Success.")
	m.item("1", "The command failed. One line on standard error, and in the log, says why.")
	m.item("255", "exec itself failed.")
	m.text("The status of run and exec in the foreground is that of the process, or 128 plus the number of the signal that ended it.")
	m.section("FILES")
	m.item(italic("config.json"), "The configuration in a bundle; config.md of the runtime specification describes it.")
	m.item(italic("/run/"+p.Name), "The state of containers; $XDG_RUNTIME_DIR/"+p.Name+" for users other than root.")
	seeAlso(m, p, "")
	return m.String()
}

// commandPage returns the page of a command.
func commandPage(p Program, c Command, date string) string {
	m := newPage(p.Name+"-"+c.Name, date, p.Name+" "+p.Version)
	m.section("NAME")
	m.WriteString(escaped(p.Name+"-"+c.Name) + ` \- ` + escaped(c.Usage) + "\n")
	m.section("SYNOPSIS")
	synopsis := bold(p.Name) + " [" + italic("GLOBAL OPTION") + "]... " + bold(c.Name)
	if len(c.Flags) > 1 { // more than --help
		synopsis += " [" + italic("OPTION") + "]..."
	}
	for _, a := range c.Arguments {
		synopsis += " " + argument(a)
	}
	m.WriteString(synopsis + "\n")
	if c.Description != "" {
		m.section("DESCRIPTION")
		m.text(c.Description)
	}
	m.section("OPTIONS")
	m.options(c.Flags)
	seeAlso(m, p, c.Name)
	return m.String()
}

// seeAlso lists all other pages.
func seeAlso(m *page, p Program, except string) {
	m.section("SEE ALSO")
	var pages []string
	if except != "" {
		pages = append(pages, bold(p.Name)+"(1)")
	}
	for _, c := range p.Commands {
		if c.Name != except {
			pages = append(pages, bold(p.Name+"-"+c.Name)+"(1)")
		}
	}
	m.WriteString(strings.Join(pages, ",\n") + "\n")
}
