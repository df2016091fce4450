package bundle

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestUserNamespace(t *testing.T) {
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
	own, joined := specs.LinuxNamespace{Type: specs.UserNamespace}, specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/proc/1/ns/user"}
	for name, c := range map[string]struct {
		ns         []specs.LinuxNamespace
		uids, gids []specs.LinuxIDMapping
		user       specs.User
		want       string // in the problems; empty when there are none
	}{
		"new":                     {[]specs.LinuxNamespace{own}, one, one, specs.User{}, ""},
		"last id":                 {[]specs.LinuxNamespace{own}, one, one, specs.User{UID: 9, GID: 9}, ""},
		"joined":                  {[]specs.LinuxNamespace{joined}, nil, nil, specs.User{UID: 5000}, ""},
		"joined, mappings told":   {[]specs.LinuxNamespace{joined}, one, one, specs.User{}, ""},
		"joined, told and broken": {[]specs.LinuxNamespace{joined}, one, one, specs.User{UID: 10}, "process.user.uid"},
		"none":                    {nil, nil, nil, specs.User{UID: 5000}, ""},
		"none with mappings":      {nil, one, nil, specs.User{}, "linux.uidMappings: needs a user namespace"},
		"no uids":                 {[]specs.LinuxNamespace{own}, nil, one, specs.User{}, "linux.uidMappings: is missing"},
		"no gids":                 {[]specs.LinuxNamespace{own}, one, nil, specs.User{}, "linux.gidMappings: is missing"},
		"user":                    {[]specs.LinuxNamespace{own}, one, one, specs.User{UID: 10}, "process.user.uid: 10 is not mapped"},
		"group":                   {[]specs.LinuxNamespace{own}, one, one, specs.User{GID: 10}, "process.user.gid: 10 is not mapped"},
		"additional group":        {[]specs.LinuxNamespace{own}, one, one, specs.User{AdditionalGids: []uint32{1, 11}}, "process.user.additionalGids[1]: 11 is not mapped"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Default()
			s.Process.User = c.user
			s.Linux.Namespaces = append(s.Linux.Namespaces, c.ns...)
			s.Linux.UIDMappings, s.Linux.GIDMappings = c.uids, c.gids
			problems, _ := Validate(s)
			var texts []string
			for _, p := range problems {
				texts = append(texts, p.Property+": "+p.Text)
			}
			got := strings.Join(texts, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
