package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		path, id string
		user     bool
		want     string // slice/unit; empty for an error
	}{
		{"", "web", false, "system.slice/coracle-web.scope"},
		{"", "web", true, "user.slice/coracle-web.scope"},
		{"::", "web", false, "system.slice/web.scope"},
		{"machine.slice:libpod:abc", "web", false, "machine.slice/libpod-abc.scope"},
		{"a-b.slice:p:n", "web", true, "a-b.slice/p-n.scope"},
		{"-:p:n", "web", false, "-.slice/p-n.scope"},
		{"-.slice:p:n", "web", false, "-.slice/p-n.scope"},
		{":p:n.scope", "web", false, "system.slice/p-n.scope"},
		{"", "a+b", false, `system.slice/coracle-a\x2bb.scope`},
		{"/system.slice/x", "web", false, ""},
		{"system.slice:x", "web", false, ""},
		{"a:b:c:d", "web", false, ""},
		{"system:p:n", "web", false, ""},
		{".slice:p:n", "web", false, ""},
		{"a--b.slice:p:n", "web", false, ""},
		{"-a.slice:p:n", "web", false, ""},
		{"a/b.slice:p:n", "web", false, ""},
		{"../x.slice:p:n", "web", false, ""},
		{":p:../n", "web", false, ""},
		{":p:n.slice", "web", false, ""},
		{":p:" + strings.Repeat("n", 260), "web", false, ""},
	} {
		u, err := ParsePath(c.path, c.id, c.user)
		got := u.Slice + "/" + u.Name
		if err != nil {
			got = ""
		}
		if got != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.path, got, err, c.want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("system.slice:coracle:web", "web")
	f.Add("::", "..")
	f.Fuzz(func(t *testing.T, path, id string) {
		u, err := ParsePath(path, id, false)
		if err != nil {
			return
		}
		if strings.Contains(u.Name, "/") || strings.Contains(u.Slice, "/") || !strings.HasSuffix(u.Name, ".scope") {
			t.Errorf("%q, %q: %+v", path, id, u)
		}
		if p := (Instance{Root: "/r"}).Path(u); !strings.HasPrefix(p, "/r/") {
			t.Errorf("%q, %q is outside: %s", path, id, p)
		}
	})
}

func TestSlicePath(t *testing.T) {
	for slice, want := range map[string]string{
		"-.slice": "/", "a.slice": "/a.slice", "a-b-c.slice": "/a.slice/a-b.slice/a-b-c.slice",
	} {
		if got := slicePath(slice); got != want {
			t.Errorf("%s: %s, want %s", slice, got, want)
		}
	}
}

// text is the properties as "Name=value".
func text(ps []Property) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Name+"="+dbus.MakeVariant(p.Value).String())
	}
	return out
}

func TestLimits(t *testing.T) {
	for files, want := range map[string]string{
		"memory.max 3145728;memory.low 5;memory.swap.max max;pids.max 7": "MemoryMax=@t 3145728 MemoryLow=@t 5 MemorySwapMax=@t 18446744073709551615 TasksMax=@t 7",
		"memory.max 1;memory.max 2M":                                     "MemoryMax=@t 2097152",
		"memory.oom.group 1":                                             `OOMPolicy="kill"`,
		"pids.max 0":                                                     "TasksMax=@t 1",
		"cpu.weight 79;cpuset.cpus 0-2,9;cpuset.mems 0":                  "CPUWeight=@t 79 AllowedCPUs=@ay [0x7, 0x2] AllowedMemoryNodes=@ay [0x1]",
		"cpu.weight 79;cpu.idle 1":                                       "CPUWeight=@t 0",
		"cpu.idle 0":                                                     "",
		"cpu.max 50000 100000":                                           "CPUQuotaPeriodUSec=@t 100000 CPUQuotaPerSecUSec=@t 500000",
		"cpu.max 33333":                                                  "CPUQuotaPerSecUSec=@t 340000",
		"cpu.max max 5000":                                               "CPUQuotaPeriodUSec=@t 5000 CPUQuotaPerSecUSec=@t 18446744073709551615",
		"cpu.cfs_period_us 10000;cpu.cfs_quota_us 15000":                 "CPUQuotaPeriodUSec=@t 10000 CPUQuotaPerSecUSec=@t 1500000",
		"cpu.cfs_quota_us -1;memory.limit_in_bytes -1;cpu.shares 2;blkio.weight 10": "MemoryLimit=@t 18446744073709551615 CPUShares=@t 2 BlockIOWeight=@t 10 CPUQuotaPerSecUSec=@t 18446744073709551615",
		"memory.max lots;cpu.max 0;cpu.max x y;cpuset.cpus 3-1;io.weight default 5": "",
		"cpuset.cpus 0-99999999;memory.max 99999999999T;pids.max -5;cpuset.mems ,":  "",
	} {
		var in []File
		for f := range strings.SplitSeq(files, ";") {
			name, value, _ := strings.Cut(f, " ")
			in = append(in, File{name, value})
		}
		if got := strings.Join(text(Limits(in)), " "); got != want {
			t.Errorf("%s: got %q\nwant %q", files, got, want)
		}
	}
}

func TestAnnotations(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"TimeoutStopUSec":  {"uint64 5000", "TimeoutStopUSec=@t 5000"},
		"TimeoutStopSec":   {"5", "TimeoutStopUSec=@t 5000000"},
		"RuntimeMaxSec":    {"0.5", "RuntimeMaxUSec=@t 500000"},
		"CollectMode":      {"'inactive'", `CollectMode="inactive"`},
		"After":            {"['a.service', 'b.service']", `After=["a.service", "b.service"]`},
		"SendSIGHUP":       {"true", "SendSIGHUP=true"},
		"KillSignal":       {"15", "KillSignal=15"},
		"Wants":            {"['poweroff.target']", ""},
		"Conflicts":        {"['ssh.service']", ""},
		"Slice":            {"'-.slice'", ""},
		"Delegate":         {"false", ""},
		"PIDs":             {"[uint32 1]", ""},
		"MemoryMax":        {"uint64 1", ""},
		"DeviceAllow":      {"[('/dev/mem', 'rw')]", ""},
		"OOMPolicy":        {"5", ""},
		"TimeoutStopSec.":  {"5", ""},
		"RuntimeMaxUSec":   {"'x'", ""},
		"TimeoutSec":       {"-1", ""},
		"TimeoutStopUSec ": {"uint64 1", ""},
		"SendSIGKILL":      {"@s 'x'", ""},
		"FinalKillSignal":  {"", ""},
		// What linux.resources says.
		"CPUWeight":            {"uint64 10000", ""},
		"StartupCPUWeight":     {"uint64 10000", ""},
		"IOWeight":             {"uint64 10000", ""},
		"StartupIOWeight":      {"uint64 10000", ""},
		"MemoryHigh":           {"uint64 18446744073709551615", ""},
		"TasksMax":             {"uint64 1", ""},
		"ManagedOOMPreference": {"'omit", ""},
	} {
		got, problems := Annotations(&specs.Spec{Annotations: map[string]string{"org.systemd.property." + name: c.value, "other": "x"}})
		if len(problems) > 0 {
			got = nil
		}
		if s := strings.Join(text(got), " "); s != c.want || (len(problems) == 0) != (c.want != "") {
			t.Errorf("%s=%s: got %q, %v, want %q", name, c.value, s, problems, c.want)
		}
	}
}

func TestAnnotationsLeaveTheUnitToBeEnded(t *testing.T) {
	for name, c := range map[string]struct{ good, bad []string }{
		"SendSIGKILL":     {[]string{"true"}, []string{"false"}},
		"FinalKillSignal": {[]string{"9"}, []string{"0", "6", "15", "18"}},
		"KillMode":        {[]string{"'control-group'", "'mixed'"}, []string{"'none'", "'process'", "''", "'None'"}},
		"TimeoutStopUSec": {[]string{"uint64 0", "uint64 2592000000000"}, []string{"uint64 2592000000001", "uint64 18446744073709551615"}},
		"TimeoutStopSec":  {[]string{"2592000"}, []string{"2592001"}},
	} {
		for i, values := range [][]string{c.good, c.bad} {
			for _, value := range values {
				_, problems := Annotations(&specs.Spec{Annotations: map[string]string{"org.systemd.property." + name: value}})
				if (len(problems) > 0) != (i == 1) {
					t.Errorf("%s=%s: %v", name, value, problems)
				}
			}
		}
	}
}

func FuzzAnnotations(f *testing.F) {
	f.Add("TimeoutStopSec", "5")
	f.Add("After", "['a.service']")
	f.Fuzz(func(t *testing.T, name, value string) {
		ps, problems := Annotations(&specs.Spec{Annotations: map[string]string{"org.systemd.property." + name: value}})
		if len(problems) > 0 {
			return
		}
		for _, p := range ps {
			if kind := allowed.Of(p.Name); kind == "" || typeOf(p.Value) != kind {
				t.Errorf("%q=%q: %s %s", name, value, p.Name, typeOf(p.Value))
			}
		}
	})
}

func TestParseAddress(t *testing.T) {
	for address, want := range map[string]string{
		"unix:path=/run/systemd/private":                     "/run/systemd/private false",
		"unix:path=/run/user/1%20000/bus,guid=12":            "/run/user/1 000/bus true",
		"unix:guid=12,abstract=/tmp/x":                       "@/tmp/x true",
		"tcp:host=localhost,port=1":                          "",
		"unix:runtime=yes":                                   "",
		"unix:path=/x%2":                                     "",
		"unix:path=" + escape("/a b/ü") + "/systemd/private": "/a b/ü/systemd/private false",
	} {
		path, broker, err := parseAddress(address)
		got := fmt.Sprint(path, " ", broker)
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%s: got %q, %v, want %q", address, got, err, want)
		}
	}
}

// fake is a systemd with scripted answers.
type fake struct {
	t       *testing.T
	address string
	name    string // on the bus
	calls   chan string
	answer  func(f *fake, c net.Conn, method string, serial uint32, body []any)
}

func newFake(t *testing.T, answer func(*fake, net.Conn, string, uint32, []any)) *fake {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f := &fake{t: t, address: "unix:path=" + path, name: ":1.1", calls: make(chan string, 100), answer: answer}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(c)
		}
	}()
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch strings.Trim(line, "\x00\r\n") {
		case "AUTH EXTERNAL":
			fmt.Fprint(c, "DATA\r\n")
		case "DATA":
			fmt.Fprint(c, "OK 1234\r\n")
		}
		if strings.HasPrefix(line, "BEGIN") {
			break
		}
	}
	for {
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		method, _ := m.Headers[dbus.FieldMember].Value().(string)
		f.calls <- method
		f.answer(f, c, method, m.Serial(), m.Body)
	}
}

func (f *fake) send(c net.Conn, m dbus.Message) {
	var out bytes.Buffer
	if err := m.EncodeTo(&out, binary.LittleEndian); err != nil {
		f.t.Error(err)
	}
	b := out.Bytes()
	binary.LittleEndian.PutUint32(b[8:], 99)
	_, _ = c.Write(b)
}

func (f *fake) reply(c net.Conn, serial uint32, body ...any) {
	m := dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(serial), dbus.FieldSender: dbus.MakeVariant(f.name),
	}, Body: body}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	f.send(c, m)
}

func (f *fake) fail(c net.Conn, serial uint32, name, text string) {
	f.send(c, dbus.Message{Type: dbus.TypeError, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(serial), dbus.FieldErrorName: dbus.MakeVariant(name),
		dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf("")),
	}, Body: []any{text}})
}

func (f *fake) removed(c net.Conn, job dbus.ObjectPath, unit, result string) {
	f.removedBy(c, f.name, job, unit, result)
}

// removedBy sends the signal of removed from another sender.
func (f *fake) removedBy(c net.Conn, sender string, job dbus.ObjectPath, unit, result string) {
	body := []any{uint32(1), job, unit, result}
	f.send(c, dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(managerPath)), dbus.FieldInterface: dbus.MakeVariant(manager),
		dbus.FieldSender: dbus.MakeVariant(sender),
		dbus.FieldMember: dbus.MakeVariant("JobRemoved"), dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
	}, Body: body})
}

var testUnit = Unit{Slice: "a.slice", Name: "coracle-x.scope"}

// exchangeWith starts a scope with a systemd that answers as the function says.
func exchangeWith(t *testing.T, answer func(*fake, net.Conn, string, uint32, []any)) (methods []string, err error) {
	f := newFake(t, answer)
	i := Instance{Addresses: []string{"unix:path=/no/such/socket", f.address}, timeout: 500 * time.Millisecond}
	err = i.StartScope(testUnit, 4321, []Property{{Name: "New", Value: true, Optional: true}, Text("Description", "d")})
	for {
		select {
		case m := <-f.calls:
			methods = append(methods, m)
		default:
			return methods, err
		}
	}
}

const job = dbus.ObjectPath("/org/freedesktop/systemd1/job/7")

func TestStartScope(t *testing.T) {
	methods, err := exchangeWith(t, func(f *fake, c net.Conn, method string, serial uint32, body []any) {
		if method != "StartTransientUnit" {
			f.reply(c, serial)
			return
		}
		if body[0] != testUnit.Name || body[1] != "fail" || !strings.Contains(fmt.Sprint(body[2]), "[4321]") {
			t.Errorf("called with %v", body)
		}
		f.removed(c, "/org/freedesktop/systemd1/job/6", "other.scope", "failed")
		f.reply(c, serial, job)
		f.removed(c, job, testUnit.Name, "done")
	})
	if want := []string{"Hello", "AddMatch", "StartTransientUnit"}; err != nil || !reflect.DeepEqual(methods, want) {
		t.Errorf("%v, %q", err, methods)
	}
}

// TestForgedSignal: anybody on the bus may send a signal about the job.
func TestForgedSignal(t *testing.T) {
	for forged, truth := range map[string]string{"done": "failed", "failed": "done"} {
		_, err := exchangeWith(t, func(f *fake, c net.Conn, _ string, serial uint32, _ []any) {
			f.reply(c, serial, job)
			f.removedBy(c, ":1.99", job, testUnit.Name, forged)
			f.removed(c, job, testUnit.Name, truth)
		})
		if (err == nil) != (truth == "done") {
			t.Errorf("%s after a forged %s: %v", truth, forged, err)
		}
	}
}

// An optional property that an old systemd does not know is left out. A property that the
// configuration asks for is not.
func TestUnknownProperty(t *testing.T) {
	refuse := func(unknown string) func(*fake, net.Conn, string, uint32, []any) {
		return func(f *fake, c net.Conn, method string, serial uint32, body []any) {
			switch {
			case method != "StartTransientUnit":
				f.reply(c, serial)
			case strings.Contains(fmt.Sprint(body[2]), unknown):
				f.fail(c, serial, "org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property "+unknown+", or unknown property.")
			default:
				f.reply(c, serial, job)
				f.removed(c, job, testUnit.Name, "done")
			}
		}
	}
	if _, err := exchangeWith(t, refuse("New")); err != nil {
		t.Error(err)
	}
	if _, err := exchangeWith(t, refuse("Description")); err == nil || !strings.Contains(err.Error(), "Description") {
		t.Error(err)
	}
}

func TestUnitExists(t *testing.T) {
	for _, failedOne := range []bool{true, false} {
		reset := false
		methods, err := exchangeWith(t, func(f *fake, c net.Conn, method string, serial uint32, body []any) {
			switch {
			case method == "ResetFailedUnit":
				reset = failedOne
				f.reply(c, serial)
			case method == "StartTransientUnit" && !reset:
				f.fail(c, serial, "org.freedesktop.systemd1.UnitExists", "Unit exists.")
			case method == "StartTransientUnit":
				f.reply(c, serial, job)
				f.removed(c, job, testUnit.Name, "done")
			default:
				f.reply(c, serial)
			}
		})
		if (err == nil) != failedOne || len(methods) != 5 {
			t.Errorf("%v: %v, %q", failedOne, err, methods)
		}
		if err != nil && (!strings.Contains(err.Error(), testUnit.Name) || !strings.Contains(err.Error(), "exists already")) {
			t.Error(err)
		}
	}
}

// Each way in which systemd can fail gives an error with the name of the unit.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*fake, net.Conn, string, uint32, []any)
		want   string
	}{
		"silence":         {func(*fake, net.Conn, string, uint32, []any) {}, "no answer from systemd within 500ms"},
		"no end of a job": {func(f *fake, c net.Conn, _ string, serial uint32, _ []any) { f.reply(c, serial, job) }, "no answer"},
		"closed":          {func(_ *fake, c net.Conn, _ string, _ uint32, _ []any) { c.Close() }, "the connection was closed"},
		"garbage": {func(_ *fake, c net.Conn, _ string, _ uint32, _ []any) {
			fmt.Fprint(c, strings.Repeat("garbage", 10))
			c.Close()
		}, "no D-Bus message"},
		"no permission": {func(f *fake, c net.Conn, _ string, serial uint32, _ []any) {
			f.fail(c, serial, "org.x.Denied", "not you")
		}, "not you"},
		"a job that fails": {func(f *fake, c net.Conn, _ string, serial uint32, _ []any) {
			f.reply(c, serial, job)
			f.removed(c, job, "u", "timeout")
		}, `"timeout"`},
	} {
		_, err := exchangeWith(t, c.answer)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `start the systemd unit "coracle-x.scope"`) {
			t.Errorf("%s: %v", name, err)
		}
		if (name == "silence") != errors.Is(err, ErrTimeout) && name != "no end of a job" {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := Instance{Addresses: []string{"unix:path=/no/such/socket"}}.Stop(testUnit)
	if err == nil || !strings.Contains(err.Error(), "connect to systemd: unix:path=/no/such/socket") {
		t.Error(err)
	}
}

func TestStopWithoutUnit(t *testing.T) {
	f := newFake(t, func(f *fake, c net.Conn, _ string, serial uint32, _ []any) {
		f.fail(c, serial, "org.freedesktop.systemd1.NoSuchUnit", "not loaded")
	})
	if err := (Instance{Addresses: []string{f.address}}).Stop(testUnit); err != nil {
		t.Error(err)
	}
}

// Another D-Bus implementation reads the messages that are sent.
func TestMessages(t *testing.T) {
	properties := []Property{{Name: "a", Value: true}, {Name: "b", Value: int32(-5)}, {Name: "c", Value: uint32(6)}, {Name: "d", Value: uint64(7)},
		{Name: "e", Value: "text"}, {Name: "f", Value: []byte{1, 2, 3}}, {Name: "g", Value: []uint32{9}}, {Name: "h", Value: []string{"x", "yz"}}}
	in := message{kind: methodCall, serial: 5, path: "/a/b", iface: "i.f", member: "M", destination: "d.e", body: []any{"unit", "fail", properties, []auxiliary{{"z", properties[:2]}}, true}}
	out, err := dbus.DecodeMessage(bytes.NewReader(in.encode()))
	if err != nil {
		t.Fatal(err)
	}
	if out.Serial() != 5 || out.Headers[dbus.FieldPath].Value() != dbus.ObjectPath("/a/b") || out.Headers[dbus.FieldSignature].String() != `@g "ssa(sv)a(sa(sv))b"` {
		t.Errorf("%v", out)
	}
	if got, want := fmt.Sprint(out.Body...), `unitfail[[a true] [b -5] [c @u 6] [d @t 7] [e "text"] [f @ay [0x1, 0x2, 0x3]] [g @au [9]] [h ["x", "yz"]]] [[z [[a true] [b -5]]]] true`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m, err := readMessage(bytes.NewReader(in.encode())); err != nil || m.member != "M" || m.path != "/a/b" || len(m.body) != 5 || m.body[4] != true {
		t.Errorf("%+v, %v", m, err)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		body := []any{uint32(7), dbus.ObjectPath("/x"), "y", []string{"z"}, byte(1), int64(-2), 0.5, map[string]dbus.Variant{"k": dbus.MakeVariant(uint16(3))}}
		theirs := dbus.Message{Type: dbus.TypeSignal, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath("/p")), dbus.FieldInterface: dbus.MakeVariant("i.f"),
			dbus.FieldMember: dbus.MakeVariant("S"), dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
		}}
		var b bytes.Buffer
		if err := theirs.EncodeTo(&b, order); err != nil {
			t.Fatal(err)
		}
		m, err := readMessage(&b)
		if err != nil || m.kind != signal || m.member != "S" || fmt.Sprint(m.body) != "[7 /x y [z] 1 -2 0.5 [[k 3]]]" {
			t.Errorf("%v: %+v, %v", order, m, err)
		}
	}
}

// TestMalformedMessages: they give an error, in time and with little memory.
func TestMalformedMessages(t *testing.T) {
	for name, data := range map[string]string{
		"a header that ends in a field": "l\x01\x00\x01\x00\x00\x00\x00\x05\x00\x00\x00\x07\x00\x00\x00" + "\x20\x01y\x00\x00\x00\x00\x00",
		"an array of nothing": "l\x01\x00\x01\x0c\x00\x00\x00\x05\x00\x00\x00\x09\x00\x00\x00" + "\x08\x01g\x00\x03a()\x00\x00\x00\x00\x00\x00\x00\x00" +
			"\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		if m, err := readMessage(strings.NewReader(data)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	m := message{kind: methodCall, serial: 5, path: "/a", member: "M", body: []any{"x", []Property{{Name: "a", Value: []string{"b"}}}}}
	f.Add(m.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := readMessage(bytes.NewReader(data)); (m == nil) == (err == nil) && m == nil {
			t.Error("neither a message nor an error")
		}
	})
}

func FuzzVariant(f *testing.F) {
	f.Add("['a', \"b\\n\"]", "as")
	f.Fuzz(func(t *testing.T, text, kind string) {
		if v, err := parseVariant(text, kind); err == nil && typeOf(v) != kind {
			t.Errorf("%q: %T instead of %s", text, v, kind)
		}
	})
}
