package compile

import (
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci/bundle"
)

func param(text string) bundle.MountParam {
	key, value, has := strings.Cut(text, "=")
	return bundle.MountParam{Key: key, Value: value, HasValue: has}
}

func params(texts ...string) (list []bundle.MountParam) {
	for _, t := range texts {
		list = append(list, param(t))
	}
	return list
}

func TestSplitLayers(t *testing.T) {
	for text, want := range map[string][]string{
		"":           {""},
		"a":          {"a"},
		"a:b":        {"a", "b"},
		`a\:b:c\\:d`: {`a\:b`, `c\\`, "d"},
		"a::b":       {"a", "", "b"},
		`a\`:         {`a\`},
	} {
		if got := splitLayers(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzSplitLayers(f *testing.F) {
	f.Add(`a\:b:c\\:d::e`)
	f.Fuzz(func(t *testing.T, text string) {
		if got := strings.Join(splitLayers(text), ":"); got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestOverlayDirs(t *testing.T) {
	got := overlayDirs(params(`lowerdir=/a:b\:c::d`, "upperdir=u", "workdir=/w", "lowerdir+=x:y", "xino=off", "index"), `/bun:dle`)
	want := params(`lowerdir=/a:/bun\:dle/b\:c::/bun\:dle/d`, "upperdir=/bun:dle/u", "workdir=/w", "lowerdir+=/bun:dle/x:y", "xino=off", "index")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestOverlayLayers(t *testing.T) {
	got := overlayLayers(params(`lowerdir=/a\:b:/c\\d::/e`, "upperdir=/u"))
	want := params("lowerdir+=/a:b", `lowerdir+=/c\d`, "datadir+=/e", "upperdir=/u")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestMountData(t *testing.T) {
	d, ok := mountData(params("size=1m", "sync", "lazytime", "ro", "nolazytime", "noswap", "mand", "dirsync", "async"))
	if !ok || d.text != "size=1m,noswap" || d.flags != unix.MS_RDONLY|unix.MS_MANDLOCK|unix.MS_DIRSYNC {
		t.Errorf("got %+v, %v", d, ok)
	}
	for _, bad := range []bundle.MountParam{param("lowerdir=/a,/b"), param("a,b"), param(`context=a",size="1,2`), param("x=" + strings.Repeat("x", maxData))} {
		if d, ok := mountData([]bundle.MountParam{bad}); ok {
			t.Errorf("%.20s is accepted as %.20s", bad, d.text)
		}
	}
	if d, ok := mountData([]bundle.MountParam{param("x=" + strings.Repeat("x", maxData-2))}); !ok || len(d.text) != maxData {
		t.Error("the longest data are not accepted")
	}
	if d, ok := mountData(params("context=u:r:t:s0:c1,c2", "size=1")); !ok || d.text != `context="u:r:t:s0:c1,c2",size=1` {
		t.Errorf("a label with a comma: %q, %v", d.text, ok)
	}
}

// FuzzMountData: joining never creates additional options.
func FuzzMountData(f *testing.F) {
	f.Add("size=1m", "noexec")
	f.Add("lowerdir=/a,upperdir=/b", "sync")
	f.Add(`context=u:r:t:s0:c1,c2`, `rootcontext=a",b="`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == "" || b == "" {
			return
		}
		d, ok := mountData(params(a, b))
		quoted := false
		commas := strings.Count(strings.Map(func(r rune) rune {
			quoted = quoted != (r == '"')
			if quoted {
				return -1
			}
			return r
		}, d.text), ",")
		if ok && d.text != "" && commas > 1 {
			t.Errorf("%q and %q became %q", a, b, d.text)
		}
	})
}

// TestEveryAttributeHasALegacyFlag: an attribute that legacyFlags lacks would be lost when the
// options of a file system are too long for fsconfig(2).
func TestEveryAttributeHasALegacyFlag(t *testing.T) {
	var known uint64
	for _, f := range legacyFlags {
		known |= f.attr
	}
	for _, name := range bundle.MountOptionNames() {
		o, err := bundle.ParseMountOptions(specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{name}})
		if err != nil {
			continue // only for bind mounts
		}
		for _, a := range o.Attrs {
			// MOUNT_ATTR_RELATIME is 0, the kernel's default.
			if missing := a.Set &^ known; missing != 0 {
				t.Errorf("%s: legacyFlags lacks the attributes %#x", name, missing)
			}
		}
	}
}
