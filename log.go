package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// The log. Engines read it to find out why a command failed: some read the last entry of level
// error, some the whole file as a single entry. So a command that fails writes nothing else,
// except with --debug.
var (
	logger = &logrus.Logger{Out: io.Discard, Formatter: &logrus.TextFormatter{}, Level: logrus.InfoLevel}
	// logs reports whether --log is given.
	logs     bool
	warnings []string
)

// openLog opens the target of --log: a file, or the system's log with a name for the entries.
func openLog(target, format string, debug bool) error {
	var err error
	switch driver, rest, _ := strings.Cut(target, ":"); {
	case target == "":
		if debug {
			logger.Out = os.Stderr
		}
	case driver == "syslog":
		logger.Out, err = openSystemLog("/dev/log")
		logger.Formatter = &syslogFormat{tag(rest)}
	case driver == "journald":
		logger.Out, err = openSystemLog("/run/systemd/journal/socket")
		logger.Formatter = &journalFormat{tag(rest)}
	default:
		logger.Out, err = os.OpenFile(strings.TrimPrefix(target, "file:"), os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_CLOEXEC, 0o644)
	}
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	logs = target != ""
	if debug {
		logger.Level = logrus.DebugLevel
	}
	_, isText := logger.Formatter.(*logrus.TextFormatter)
	if format == "json" && isText {
		logger.Formatter = &logrus.JSONFormatter{}
	}
	return nil
}

// tag returns the name of entries in a system log.
func tag(given string) string {
	if given == "" {
		return name
	}
	return given
}

// systemLog is a datagram socket of a system log.
type systemLog int

func openSystemLog(path string) (systemLog, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "connect", Path: path, Err: err}
	}
	return systemLog(fd), nil
}

// Write sends an entry. If the log is busy or gone, it neither waits nor fails.
func (l systemLog) Write(entry []byte) (int, error) {
	_ = unix.Send(int(l), entry, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	return len(entry), nil
}

// priority returns the severity of an entry, as a number of syslog(3).
func priority(e *logrus.Entry) int {
	switch e.Level {
	case logrus.ErrorLevel:
		return 3
	case logrus.WarnLevel:
		return 4
	case logrus.DebugLevel:
		return 7
	}
	return 6
}

// syslogFormat formats entries for /dev/log, as the C library does.
type syslogFormat struct{ tag string }

func (f *syslogFormat) Format(e *logrus.Entry) ([]byte, error) {
	const daemon = 3 << 3
	message := strings.ReplaceAll(e.Message, "\n", " ")
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", daemon|priority(e), e.Time.Format(time.Stamp), f.tag, os.Getpid(), message), nil
}

// journalFormat formats entries for the systemd journal (systemd.io/JOURNAL_NATIVE_PROTOCOL).
type journalFormat struct{ tag string }

func (f *journalFormat) Format(e *logrus.Entry) ([]byte, error) {
	entry := journalField(nil, "MESSAGE", e.Message)
	entry = journalField(entry, "PRIORITY", fmt.Sprint(priority(e)))
	entry = journalField(entry, "SYSLOG_FACILITY", "3")
	return journalField(entry, "SYSLOG_IDENTIFIER", f.tag), nil
}

// journalField adds a field. A value of several lines is preceded by its length.
func journalField(entry []byte, name, value string) []byte {
	if !strings.Contains(value, "\n") {
		return fmt.Appendf(entry, "%s=%s\n", name, value)
	}
	entry = binary.LittleEndian.AppendUint64(append(entry, name+"\n"...), uint64(len(value)))
	return append(append(entry, value...), '\n')
}

// warn logs a warning: at once with --debug, otherwise when the command has succeeded.
func warn(message string) {
	message = printable(message)
	if logger.Level == logrus.DebugLevel {
		logger.Warn(message)
		return
	}
	warnings = append(warnings, message)
}

// remarkToPerson is warn for commands whose standard error is shared with a container's process.
// Remarks about a configuration do not belong in that output: without a log they are shown only
// on a terminal, and by "coracle validate".
func remarkToPerson(message string) {
	_, err := unix.IoctlGetTermios(2, unix.TCGETS)
	if logs || logger.Level == logrus.DebugLevel || err == nil {
		warn(message)
	}
}

// tracer logs with --debug how long the phases of a command take.
func tracer() func(string) {
	if logger.Level != logrus.DebugLevel {
		return nil
	}
	start := time.Now()
	last := start
	return func(phase string) {
		now := time.Now()
		logger.Debugf("%s: %d µs, %d µs in all", phase, now.Sub(last).Microseconds(), now.Sub(start).Microseconds())
		last = time.Now()
	}
}

// flushWarnings writes the warnings of a successful command to the log or, without a log, to
// standard error. docs/engines.md says what engines do with them.
func flushWarnings() {
	switch {
	case len(warnings) == 0:
	case logs:
		for _, w := range warnings {
			logger.Warn(w)
		}
	default:
		writeStderr(warningLines(warnings))
	}
}

// warningLines returns a line for each warning, as many as fit: the pipe at standard error may
// not be read before the command has ended, so the warnings must not fill it.
func warningLines(warnings []string) string {
	var b strings.Builder
	for i, w := range warnings {
		line := warningLine(shorten(w))
		if i > 0 && b.Len()+len(line) > longestError {
			b.WriteString(warningLine(fmt.Sprintf("%d more, which --log FILE or --debug would show", len(warnings)-i)))
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// warningLine is a line with a warning on standard error.
func warningLine(message string) string {
	if errorsAsJSON {
		return object(logrus.WarnLevel, message, nil)
	}
	return "warning: " + message + "\n"
}

// writeStderr writes to standard error, without package os: a closed pipe would end this process
// with SIGPIPE, and change its exit status.
func writeStderr(text string) {
	for len(text) > 0 {
		n, err := unix.Write(2, []byte(text))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		text = text[n:]
	}
}

// errorsAsJSON reports whether errors and warnings on standard error are objects.
var errorsAsJSON bool

// wantsJSON reads --error-format before all other flags are parsed: it also counts for errors in
// those. What follows the command is not for it.
func wantsJSON(args []string) bool {
	for i, arg := range args[min(1, len(args)):] {
		switch {
		case arg == "--error-format=json", arg == "json" && args[i] == "--error-format":
			return true
		case commandNamed(arg) != nil:
			return false
		}
	}
	return false
}

func reportError(err error) {
	message := shorten(printable(withAdvice(err)))
	if logs {
		entry := logrus.NewEntry(logger)
		if _, isJSON := logger.Formatter.(*logrus.JSONFormatter); isJSON {
			entry = entry.WithFields(facts(err))
		}
		entry.Error(message)
	}
	if errorsAsJSON {
		writeStderr(object(logrus.ErrorLevel, message, facts(err)))
		return
	}
	writeStderr(message + "\n")
}

// object is a line with an entry as in a log of objects.
func object(level logrus.Level, message string, fields map[string]any) string {
	entry := &logrus.Entry{Logger: logger, Level: level, Message: message, Time: time.Now(), Data: fields}
	line, err := (&logrus.JSONFormatter{}).Format(entry)
	if err != nil {
		return message + "\n"
	}
	return string(line)
}

// printable returns a message with unprintable characters escaped: ends of lines, control
// characters and invalid UTF-8.
//
// Attacker: the image. An error can contain any name from it, such as the target of a symbolic
// link. A terminal would interpret control characters, and a reader of a log would take a second
// line for another entry.
func printable(message string) string {
	if !strings.ContainsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return message
	}
	var b strings.Builder
	for len(message) > 0 {
		r, size := utf8.DecodeRuneInString(message)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02x", message[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		message = message[size:]
	}
	return b.String()
}

// longestError is the maximum length of an error message in bytes: conmon reads at most 8191,
// including the newline.
const longestError = 8000

// shorten cuts the middle out of a message that is too long. The beginning says what was being
// done, and the end says why it failed.
func shorten(message string) string {
	if len(message) <= longestError {
		return message
	}
	const gap = " [...] "
	half := (longestError - len(gap)) / 2
	return strings.ToValidUTF8(message[:half], "") + gap + strings.ToValidUTF8(message[len(message)-half:], "")
}
