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

// text writes paragraphs. Lines with an indent stay as they are.
func (p *page) text(text string) {
	for line := range strings.Lines(text) {
		p.WriteString(escaped(strings.TrimSuffix(line, "\n")) + "\n")
	}
}

// item writes an entry of a list: roff for what it is about, and text about it.
func (p *page) item(head, text string) {
	p.WriteString(".TP\n" + head + "\n")
	p.text(text)
}

// escaped protects text from being taken for roff.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "→", `\(->`, "–", `\(en`, "…", `...`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// quoted is an argument of a macro.
func quoted(text string) string { return `"` + strings.ReplaceAll(escaped(text), `"`, `\(dq`) + `"` }

func bold(text string) string   { return `\fB` + escaped(text) + `\fR` }
func italic(text string) string { return `\fI` + escaped(text) + `\fR` }

// argument is an argument of a synopsis: what is in brackets may be left out.
func argument(a string) string {
	name := strings.Trim(a, "[].")
	before, after, _ := strings.Cut(a, name)
	return escaped(before) + italic(name) + escaped(after)
}

func (p *page) options(options []option) {
	for _, o := range options {
		var heads []string
		for _, n := range o.names {
			head := bold(dashed(n))
			if o.placeholder != "" {
				head += " " + italic(o.placeholder)
			}
			heads = append(heads, head)
		}
		text := sentence(o.usage)
		if o.repeated {
			text += " May be given several times."
		}
		if o.standard != "" {
			text += " Default: " + o.standard + "."
		}
		p.item(strings.Join(heads, ", "), text)
	}
}

// sentence makes a sentence of the words of a usage.
func sentence(usage string) string {
	if usage == "" {
		return ""
	}
	return strings.ToUpper(usage[:1]) + usage[1:] + "."
}

// programPage is the page of the program as a whole.
func programPage(p program, date string) string {
	m := newPage(p.name, date, p.name+" "+p.version)
	m.section("NAME")
	m.WriteString(escaped(p.name) + ` \- ` + escaped(p.usage) + "\n")
	m.section("SYNOPSIS")
	m.WriteString(bold(p.name) + " [" + italic("GLOBAL OPTION") + "]... " + italic("COMMAND") + " [" + italic("OPTION") + "]... [" + italic("ARGUMENT") + "]...\n")
	m.section("DESCRIPTION")
	m.text(p.description)
	m.section("COMMANDS")
	for _, c := range p.commands {
		m.item(bold(c.name), sentence(c.usage)+" See "+p.name+"-"+c.name+"(1).")
	}
	m.section("GLOBAL OPTIONS")
	m.text("These go before the command.")
	m.options(p.flags)
	m.section("EXIT STATUS")
	m.item("0", "Success.")
	m.item("1", "The command failed. One line on standard error, and in the log, says why.")
	m.item("255", "exec itself failed.")
	m.text("The status of run and exec in the foreground is that of the process, or 128 plus the number of the signal that ended it.")
	m.section("FILES")
	m.item(italic("config.json"), "The configuration in a bundle; config.md of the runtime specification describes it.")
	m.item(italic("/run/"+p.name), "The state of containers; $XDG_RUNTIME_DIR/"+p.name+" for users other than root.")
	seeAlso(m, p, "")
	return m.String()
}

// commandPage is the page of a command.
func commandPage(p program, c command, date string) string {
	m := newPage(p.name+"-"+c.name, date, p.name+" "+p.version)
	m.section("NAME")
	m.WriteString(escaped(p.name+"-"+c.name) + ` \- ` + escaped(c.usage) + "\n")
	m.section("SYNOPSIS")
	synopsis := bold(p.name) + " [" + italic("GLOBAL OPTION") + "]... " + bold(c.name)
	if len(c.flags) > 1 {
		synopsis += " [" + italic("OPTION") + "]..."
	}
	for _, a := range c.arguments {
		synopsis += " " + argument(a)
	}
	m.WriteString(synopsis + "\n")
	if c.description != "" {
		m.section("DESCRIPTION")
		m.text(c.description)
	}
	m.section("OPTIONS")
	m.options(c.flags)
	seeAlso(m, p, c.name)
	return m.String()
}

// seeAlso refers to all other pages.
func seeAlso(m *page, p program, except string) {
	m.section("SEE ALSO")
	var pages []string
	if except != "" {
		pages = append(pages, bold(p.name)+"(1)")
	}
	for _, c := range p.commands {
		if c.name != except {
			pages = append(pages, bold(p.name+"-"+c.name)+"(1)")
		}
	}
	m.WriteString(strings.Join(pages, ",\n") + "\n")
}
