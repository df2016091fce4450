package main

import (
	goflag "flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// flag describes a flag in one place: urfave/cli, the help, the manual pages and the completions
// are all derived from it.
type flag struct {
	name, short string
	// aliases are other long names, as in other runtimes.
	aliases []string
	// placeholder names the value. usage refers to the value by the same word.
	placeholder, usage string
	kind               kind
	// choices are the only valid values. Help lists them after the usage.
	choices   []string
	completes completion
	// def is the default value; otherwise describes the default in words.
	def       string
	otherwise func() string
	// repeatable reports whether the flag collects its values. Otherwise the last value counts.
	repeatable bool
	// hidden reports whether the flag is undocumented, because it is for programs.
	hidden bool
}

// kind is the kind of a flag's value.
type kind uint8

const (
	text     kind = iota
	toggle        // true or false; without a value it is true
	number        // an integer from 0 on
	duration      // like 500ms
)

// completion is what shell completions offer for a value or an argument.
type completion uint8

const (
	nothing completion = iota
	files
	directories
	containers
	capabilities
	signals
)

// Values of "otherwise" for several flags.
func currentDirectory() string { return "the current directory" }
func configOfBundle() string   { return "config.json of the bundle" }

// Flags that urfave/cli handles itself.
var (
	helpFlag    = flag{name: "help", short: "h", kind: toggle, usage: "show help"}
	versionFlag = flag{name: "version", short: "v", kind: toggle, usage: "print the version"}
)

// names returns all names without dashes, the long one first.
func (f *flag) names() []string {
	names := []string{f.name}
	if f.short != "" {
		names = append(names, f.short)
	}
	return append(names, f.aliases...)
}

// has reports whether the flag has a name.
func (f *flag) has(name string) bool {
	return name == f.name || name == f.short && name != "" || slices.Contains(f.aliases, name)
}

// takesValue reports whether the flag needs a value.
func (f *flag) takesValue() bool { return f.kind != toggle }

// description returns the usage with the choices.
func (f *flag) description() string {
	if len(f.choices) == 0 {
		return f.usage
	}
	return f.usage + ": " + either(f.choices)
}

// either joins words: "a, b or c".
func either(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// check returns an error if a value is invalid.
func (f *flag) check(value string) error {
	var err error
	want := ""
	switch f.kind {
	case toggle:
		_, err = strconv.ParseBool(value)
		want = "true or false"
	case number:
		_, err = strconv.ParseUint(value, 0, 64)
		want = "a number from 0 on"
	case duration:
		_, err = time.ParseDuration(value)
		want = "a duration, like 500ms or 1m"
	}
	if f.choices != nil {
		if slices.Contains(f.choices, value) {
			return nil
		}
		err, want = strconv.ErrSyntax, either(f.choices)
	}
	if err != nil {
		return fmt.Errorf("invalid %s %q: want %s", dashed(f.name), value, want)
	}
	return nil
}

// flagNamed returns the flag with a name, or nil.
func flagNamed(flags []flag, name string) *flag {
	for i := range flags {
		if flags[i].has(name) {
			return &flags[i]
		}
	}
	return nil
}

// dashed returns the name of a flag with its dashes.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// values has the values of a flag on one command line, as package flag stores them. All names of
// the flag share it.
type values struct {
	*flag
	given []string
}

// Set adds a value unchanged, including commas. check checks the values when all are known.
func (v *values) Set(value string) error {
	v.given = append(v.given, value)
	return nil
}

// String returns the value that counts.
func (v *values) String() string {
	if v.flag == nil { // package flag asks an empty one for its default
		return ""
	}
	if len(v.given) == 0 {
		return v.def
	}
	return v.given[len(v.given)-1]
}

// IsBoolFlag tells package flag that no value follows.
func (v *values) IsBoolFlag() bool { return v.kind == toggle }

// usedFlag is a flag for urfave/cli. Only the flags of the called command are converted.
//
// urfave/cli asks for the names of every flag many times during one command line, and refuses to
// mix the names of a flag. So it gets only one name; package flag gets all of them.
type usedFlag struct {
	values
	name []string
}

// used converts flags for a command line.
func used(tables ...[]flag) (flags []cli.Flag) {
	for _, table := range tables {
		for i := range table {
			flags = append(flags, &usedFlag{values{flag: &table[i]}, []string{table[i].name}})
		}
	}
	return flags
}

func (u *usedFlag) Apply(set *goflag.FlagSet) error {
	for _, name := range u.names() {
		set.Var(&u.values, name, "")
	}
	return nil
}

func (u *usedFlag) Names() []string { return u.name }
func (u *usedFlag) IsSet() bool     { return len(u.given) > 0 }
func (u *usedFlag) IsVisible() bool { return !u.hidden }

// String returns the line of the help, in two columns.
func (u *usedFlag) String() string {
	var b strings.Builder
	for i, name := range u.names() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(dashed(name))
		if u.takesValue() {
			b.WriteString(" " + u.placeholder)
		}
	}
	b.WriteString("\t" + u.description())
	if u.repeatable {
		b.WriteString("; may be repeated")
	}
	if d := u.standard(); d != "" {
		b.WriteString(" (default: " + d + ")")
	}
	return b.String()
}

// standard returns the default for the help, "" when there is none.
func (f *flag) standard() string {
	if f.otherwise != nil {
		return f.otherwise()
	}
	return f.def
}

// usedFlags returns the flags of the called command, in the order of its table.
func usedFlags(c *cli.Context) (flags []*usedFlag) {
	for _, f := range c.Command.Flags {
		flags = append(flags, f.(*usedFlag))
	}
	return flags
}

// checkFlags returns an error for the first flag, in the order of the help, with an invalid
// value.
func checkFlags(c *cli.Context) error {
	for _, u := range usedFlags(c) {
		for _, value := range u.given {
			if err := u.check(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// repeated returns the values of a flag that can be repeated.
func repeated(c *cli.Context, name string) []string {
	for _, u := range usedFlags(c) {
		if u.flag.name == name {
			return u.given
		}
	}
	return nil
}
