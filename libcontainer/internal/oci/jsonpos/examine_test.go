package jsonpos

import (
	"reflect"
	"strings"
	"testing"
)

func TestExamineGoesOn(t *testing.T) {
	var v outer
	r, err := Examine([]byte(`{"name":5,"id":-1,"ok":[{"a":1}],"list":[{"n":"x"},{"n":3,"y":1}],"map":{"a":[1,{}],"b":"c","b":"d"},"Plain":"p","Plain":"q"}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got  []*Error
		want string
	}{
		{r.Misfits, "name id ok list[0].n map.a"},
		{r.Unknown, "list[1].y"},
		{r.Missing, "major deep"},
		{r.Repeated, "map.b Plain"},
	} {
		var paths []string
		for _, e := range c.got {
			paths = append(paths, e.Path)
		}
		if got := strings.Join(paths, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	n := int32(3)
	want := outer{List: []inner{{new(int32)}, {&n}}, Map: map[string]string{"a": "", "b": "d"}, Plain: "q"}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestExamineStopsAtBadSyntax(t *testing.T) {
	var v outer
	r, err := Examine([]byte(`{"name":5,,}`), &v)
	if err == nil || err.Error() != "line 1, column 11: a property name is expected, but there is ','" || len(r.Misfits) != 1 {
		t.Errorf("got %v, %+v", err, r)
	}
}

func TestPaths(t *testing.T) {
	for text, pointer := range map[string]string{
		"":                                 "",
		"mounts[2].options":                "/mounts/2/options",
		`linux.sysctl["net.core.x"]`:       "/linux/sysctl/net.core.x",
		`annotations[""]`:                  "/annotations/",
		`annotations["a/b~c\"d"].e[10][0]`: `/annotations/a~1b~0c"d/e/10/0`,
	} {
		if got := Pointer(text); got != pointer {
			t.Errorf("%s is the pointer %s", text, got)
		}
		if got := pathText(parsePath(text)); got != text {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
	if got := Parent("a.b[3]"); got != "a.b" {
		t.Error(got)
	}
	for _, c := range []struct {
		path, outer string
		want        bool
	}{{"a.b[3]", "a.b", true}, {"a.b", "a.b", true}, {"a.bc", "a.b", false}, {"a", "a.b", false}, {"a[1]", "a[0]", false}, {"a", "", true}} {
		if got := Within(c.path, c.outer); got != c.want {
			t.Errorf("%s within %s: %v", c.path, c.outer, got)
		}
	}
}

func TestLocate(t *testing.T) {
	const doc = "{\n \"a\": [1, {\"b.c\": \"x\"}],\n \"a\": [ {\"b.c\": \"y\", \"\": null}, []]\n}"
	for path, want := range map[string][2]int{
		"":              {1, 1},
		"a":             {3, 7}, // the last one counts
		"a[0]":          {3, 9},
		`a[0]["b.c"]`:   {3, 17},
		`a[0][""]`:      {3, 26},
		"a[1]":          {3, 33},
		"a[2]":          {3, 7},
		"a[0].b":        {3, 9},
		"a[0][0]":       {3, 9},
		`a[0]["b.c"].d`: {3, 17},
		"none.x":        {1, 1},
	} {
		line, column := Locate([]byte(doc), path)
		if line != want[0] || column != want[1] {
			t.Errorf("%s is at %d:%d, want %v", path, line, column, want)
		}
	}
}

// FuzzPath: the path of a problem leads back to its property, whatever names the document has.
func FuzzPath(f *testing.F) {
	f.Add("a", "b.c", 3)
	f.Add("", "[0]", 0)
	f.Add("\"", "\\ü\x00", 1)
	f.Fuzz(func(t *testing.T, first, second string, index int) {
		if index < 0 || strings.ToValidUTF8(first+second, "") != first+second {
			return
		}
		path := []step{{name: first}, {index: index, element: true}, {name: second}}
		if got := parsePath(pathText(path)); !reflect.DeepEqual(got, path) {
			t.Errorf("%s is read as %+v", pathText(path), got)
		}
		_ = Pointer(first)
		_, _ = Locate([]byte(first), second)
	})
}
