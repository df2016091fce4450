package protocol

import (
	"strings"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add(Sync(PointHooks).Encode())
	f.Add(Message{Kind: KindFailure, A: 1, B: 2, C: 3}.Encode())
	f.Add([]byte{})
	f.Add(make([]byte, MessageSize-1))
	f.Add(make([]byte, MessageSize+1))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := Decode(data)
		if ok != (len(data) == MessageSize) {
			t.Fatalf("%d bytes: ok is %v", len(data), ok)
		}
		if ok && string(m.Encode()) != string(data) {
			t.Errorf("%x became %x", data, m.Encode())
		}
		if m.String() == "" {
			t.Error("a message without words")
		}
	})
}

// TestNames: every point, stage and value has a unique name, and the package doc has every point.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	check := func(name string) {
		if name == "" || strings.ContainsAny(name[:1], "0123456789") || seen[name] {
			t.Errorf("the name %q", name)
		}
		seen[name] = true
	}
	for p := PointPid; p < Points; p++ {
		check(Sync(p).String())
	}
	for s := StageCreated; s <= StageStarted; s++ {
		check(Done(s).String())
	}
	for v := ValuePid; v <= ValueTree; v++ {
		check(ValueOf(v).String())
	}
	if p := Point(99); p.String() != "99" {
		t.Errorf("an unknown point is %q", p)
	}
}

func TestAccessors(t *testing.T) {
	m := CopyUp(7, TakesMode|TakesGID)
	if p, ok := m.Point(); !ok || p != PointCopyUp || m.Mount() != 7 || m.Takes() != TakesMode|TakesGID {
		t.Errorf("%+v", m)
	}
	if _, ok := Done(StageCreated).Point(); ok || !Done(StageCreated).IsDone(StageCreated) || Done(StageCreated).IsDone(StageStarted) {
		t.Error("done created")
	}
	for index, want := range map[uint32]bool{7: false, Cwd: false, Device(0): true, Device(3): true} {
		if _, ok := (Message{Kind: KindSync, B: index}).Device(); ok != want {
			t.Errorf("%#x is a device: %v", index, ok)
		}
	}
	if m := Notice(3); !m.IsValue(ValueNotice) || m.Notice() != 3 || m.IsSync(PointPid) {
		t.Errorf("%+v", m)
	}
}
