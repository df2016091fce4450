package jsonpos

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

type inner struct {
	N *int32 `json:"n"`
}

type embedded struct {
	Major int64 `json:"major"`
}

type outer struct {
	embedded
	Name  string            `json:"name,omitempty"`
	ID    uint32            `json:"id"`
	Ok    bool              `json:"ok"`
	List  []inner           `json:"list"`
	Map   map[string]string `json:"map"`
	Deep  *inner            `json:"deep"`
	Plain string
}

func TestUnmarshal(t *testing.T) {
	const doc = `{"name":"a\u00e9\n\ud83d\ude00\"","id":4294967295,"ok":true,"major":7,
		"list":[{"n":-5},{}, {"n":null}],"map":{"k":"v","":"x"},"deep":{"n":2147483647},"Plain":"p"}`
	var got, want outer
	unknown, err := Unmarshal([]byte(doc), &got)
	if err != nil || len(unknown) != 0 {
		t.Fatal(err, unknown)
	}
	if err := json.Unmarshal([]byte(doc), &want); err != nil {
		t.Fatal(err)
	}
	// encoding/json does not fill unexported embedded structs either, so the results are equal.
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{``, `line 1, column 1: a value is expected, but the document ends`},
		{`{`, `line 1, column 2: a property name is expected, but the document ends`},
		{"{\n  \"name\": \"x\",\n}", `line 3, column 1: a property name is expected, but there is '}'`},
		{`{"name" "x"}`, `name: line 1, column 9: ':' is expected after a property name, but there is '"'`},
		{`{"name":"x" "id":1}`, `line 1, column 13: '}' is expected or a comma in an object, but there is '"'`},
		{`{"name":5}`, `name: line 1, column 9: expected a string, got the number 5`},
		{`{"id":"5"}`, `id: line 1, column 7: expected a number (uint32), got a string`},
		{`{"id":-1}`, `id: line 1, column 7: expected a number (uint32), got the number -1`},
		{`{"id":4294967296}`, `id: line 1, column 7: expected a number (uint32), got the number 4294967296`},
		{`{"id":1.0}`, `id: line 1, column 7: expected a number (uint32), got the number 1.0`},
		{`{"list":[{},{"n":1e3}]}`, `list[1].n: line 1, column 18: expected a number (int32), got the number 1e3`},
		{`{"list":{}}`, `list: line 1, column 9: expected an array, got an object`},
		{`{"deep":[]}`, `deep: line 1, column 9: expected an object, got an array`},
		{`{"ok":tru}`, `ok: line 1, column 7: invalid JSON value`},
		{`{"ok":1}`, `ok: line 1, column 7: expected a boolean, got the number 1`},
		{`{"map":{"a":{}}}`, `map.a: line 1, column 13: expected a string, got an object`},
		{`{"name":"a`, `name: line 1, column 11: a string has no end`},
		{`{"name":"\x"}`, `name: line 1, column 11: "\\x" is not an escape`},
		{`{} x`, `line 1, column 4: unexpected data after the JSON value`},
		{`{"id":01}`, `line 1, column 8: '}' is expected or a comma in an object, but there is '1'`},
	} {
		var v outer
		_, err := Unmarshal([]byte(c.doc), &v)
		var e *Error
		if !errors.As(err, &e) || e.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.doc, err, c.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	var v outer
	unknown, err := Unmarshal([]byte("{\"list\":[{\"x\":{\"deep\":[1,2,{}]}}],\n \"other\":\"ignored\"}"), &v)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range unknown {
		got = append(got, u.Error())
	}
	want := []string{
		"list[0].x: line 1, column 11: unknown property",
		"other: line 2, column 2: unknown property",
	}
	if !reflect.DeepEqual(got, want) || v.Name != "" {
		t.Errorf("got %q", got)
	}
}

// What decoders that ignore case take for a property must not be ignored in silence.
func TestOtherCase(t *testing.T) {
	for doc, want := range map[string]string{
		`{"Name":"x"}`:                    `Name: line 1, column 2: unknown property; "name" is meant, but upper and lower case differ`,
		`{"name":"x","NAME":"y"}`:         `NAME: line 1, column 13: unknown property; "name" is meant, but upper and lower case differ`,
		"{\"li\u017ft\":[]}":              "[\"li\u017ft\"]: line 1, column 2: unknown property; \"list\" is meant, but upper and lower case differ",
		`{"list":[{},{"unknown":{}}]}`:    "",
		`{"map":{"Name":"a","name":"b"}}`: "",
	} {
		var v, examined outer
		_, err := Unmarshal([]byte(doc), &v)
		report, malformed := Examine([]byte(doc), &examined)
		if malformed != nil {
			t.Fatal(malformed)
		}
		if want == "" {
			if err != nil || len(report.Misfits) > 0 {
				t.Errorf("%s: %v, %v", doc, err, report.Misfits)
			}
			continue
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", doc, err)
		}
		if len(report.Misfits) != 1 || report.Misfits[0].Error() != want {
			t.Errorf("%s: %v", doc, report.Misfits)
		}
	}
}

func TestMarshal(t *testing.T) {
	n := int32(-3)
	for _, v := range []any{
		outer{embedded: embedded{7}, Name: "a\n\"\\\t\u00e9\U0001f600", ID: 1, Ok: true, List: []inner{{&n}, {}}, Map: map[string]string{"b": "1", "a": ""}, Deep: &inner{}},
		&outer{}, []string{}, []string(nil), map[string]string{}, "\x00\x1f", []float64{0, 1.5, 99.99, 0.01},
		&specs.Spec{Version: "1", Process: &specs.Process{Args: []string{"a"}, User: specs.User{UID: 5}}, Linux: &specs.Linux{Sysctl: map[string]string{"x": "y"}}},
	} {
		for _, indent := range []string{"", "  "} {
			want, err := json.Marshal(v)
			if indent != "" {
				want, err = json.MarshalIndent(v, "", indent)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := Marshal(v, indent); string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

// FuzzMarshal: jsonpos and encoding/json both decode the encoded text to the original value.
func FuzzMarshal(f *testing.F) {
	f.Add("a\"\\\n", "k", uint32(1))
	f.Fuzz(func(t *testing.T, s, k string, n uint32) {
		s, k = strings.ToValidUTF8(s, "?"), strings.ToValidUTF8(k, "?")
		in := outer{Name: s, ID: n, Map: map[string]string{k: s}}
		data := Marshal(in, "")
		var here, there outer
		if _, err := Unmarshal(data, &here); err != nil || !reflect.DeepEqual(in, here) {
			t.Errorf("%s: %+v, %v", data, here, err)
		}
		if err := json.Unmarshal(data, &there); err != nil || !reflect.DeepEqual(in, there) {
			t.Errorf("%s: %+v, %v", data, there, err)
		}
	})
}

// FuzzUnmarshal compares with encoding/json on the type that matters.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.0.0","process":{"args":["a"],"user":{"uid":1}},"mounts":[{"destination":"/a"}]}`))
	f.Add([]byte(`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":1,"minor":2,"weight":3}]}}}}`))
	f.Add([]byte(`{"annotations":{"a":"\ud800"},"hostname":"\u00zz"}`))
	f.Add([]byte(`[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want specs.Spec
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Unmarshal(data, &got)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20+1000*uint64(len(data)) {
			t.Fatalf("%d bytes were allocated for a document of %d", used, len(data))
		}
		wantErr := json.Unmarshal(data, &want)
		// encoding/json ignores the case of names, which is an error here.
		if err == nil && wantErr != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if err != nil {
			_ = err.Error()
		}
	})
}
