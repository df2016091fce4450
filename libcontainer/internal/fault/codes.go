package fault

// Code is the kind of an error. It is stable, unlike texts.
type Code string

// Error makes a code an error, for errors.Is.
func (c Code) Error() string { return string(c) }

// The codes, in groups: about containers, configurations, missing features, the parts of a
// container, and its processes.
const (
	IDInvalid       Code = "CORACLE_ID_INVALID"
	NotFound        Code = "CORACLE_CONTAINER_NOT_FOUND"
	Exists          Code = "CORACLE_CONTAINER_EXISTS"
	NotRunning      Code = "CORACLE_CONTAINER_NOT_RUNNING"
	Paused          Code = "CORACLE_CONTAINER_PAUSED"
	NotStopped      Code = "CORACLE_CONTAINER_NOT_STOPPED"
	WrongStatus     Code = "CORACLE_CONTAINER_WRONG_STATUS"
	ContainerLeft   Code = "CORACLE_CONTAINER_LEFT"
	Busy            Code = "CORACLE_CONTAINER_BUSY"
	StateUnreadable Code = "CORACLE_STATE_UNREADABLE"
	Interrupted     Code = "CORACLE_INTERRUPTED"

	ConfigUnreadable Code = "CORACLE_CONFIG_UNREADABLE"
	ConfigInvalid    Code = "CORACLE_CONFIG_INVALID"
	TerminalMismatch Code = "CORACLE_TERMINAL_MISMATCH"
	SocketFailed     Code = "CORACLE_SOCKET_FAILED"

	NotPermitted        Code = "CORACLE_NOT_PERMITTED"
	UserNamespaceNeeded Code = "CORACLE_USER_NAMESPACE_NEEDED"
	MemoryExhausted     Code = "CORACLE_MEMORY_EXHAUSTED"
	OpenFilesExhausted  Code = "CORACLE_OPEN_FILES_EXHAUSTED"
	ProcessesExhausted  Code = "CORACLE_PROCESSES_EXHAUSTED"
	KeysExhausted       Code = "CORACLE_KEYS_EXHAUSTED"

	MountSourceMissing   Code = "CORACLE_MOUNT_SOURCE_MISSING"
	MountFailed          Code = "CORACLE_MOUNT_FAILED"
	RootfsFailed         Code = "CORACLE_ROOTFS_FAILED"
	DeviceFailed         Code = "CORACLE_DEVICE_FAILED"
	NamespaceFailed      Code = "CORACLE_NAMESPACE_FAILED"
	IDMappingFailed      Code = "CORACLE_ID_MAPPING_FAILED"
	CgroupInUse          Code = "CORACLE_CGROUP_IN_USE"
	CgroupUnavailable    Code = "CORACLE_CGROUP_UNAVAILABLE"
	CgroupDriverMismatch Code = "CORACLE_CGROUP_DRIVER_MISMATCH"
	CgroupFailed         Code = "CORACLE_CGROUP_FAILED"
	SystemdFailed        Code = "CORACLE_SYSTEMD_FAILED"
	RdtFailed            Code = "CORACLE_RDT_FAILED"
	NetDeviceFailed      Code = "CORACLE_NETWORK_DEVICE_FAILED"
	SysctlFailed         Code = "CORACLE_SYSCTL_FAILED"
	SeccompFailed        Code = "CORACLE_SECCOMP_FAILED"
	LabelFailed          Code = "CORACLE_LABEL_FAILED"
	HookTimeout          Code = "CORACLE_HOOK_TIMEOUT"
	HookFailed           Code = "CORACLE_HOOK_FAILED"

	CommandNotFound      Code = "CORACLE_COMMAND_NOT_FOUND"
	CommandNotExecutable Code = "CORACLE_COMMAND_NOT_EXECUTABLE"
	CwdFailed            Code = "CORACLE_CWD_FAILED"
	ProcessFailed        Code = "CORACLE_PROCESS_FAILED"
	InitDied             Code = "CORACLE_INIT_DIED"
	InitSilent           Code = "CORACLE_INIT_SILENT"

	Failed Code = "CORACLE_FAILED"
)

// Meanings returns all codes in order, with their meanings.
func Meanings() []Meaning {
	return []Meaning{
		{IDInvalid, "no container can have this id"},
		{NotFound, "there is no container with this id"},
		{Exists, "the id is in use"},
		{NotRunning, "the container has no process"},
		{Paused, "the container is paused"},
		{NotStopped, "the container is not stopped, and has to be"},
		{WrongStatus, "the container has another status than is needed"},
		{ContainerLeft, "the first process has left the namespaces or the root of its container"},
		{Busy, "another command is at work on the container"},
		{StateUnreadable, "the state of the container belongs to somebody else, or cannot be understood"},
		{Interrupted, "the caller has given up, or a signal came"},
		{ConfigUnreadable, "the bundle or its configuration cannot be read"},
		{ConfigInvalid, "a property of the configuration has a value that is not possible"},
		{TerminalMismatch, "the configuration wants a terminal that nobody takes, or the other way round"},
		{SocketFailed, "a socket that the caller has named cannot be reached"},
		{NotPermitted, "a privilege is missing"},
		{UserNamespaceNeeded, "without privileges a container needs a user namespace"},
		{MemoryExhausted, "memory ran out"},
		{OpenFilesExhausted, "the limit of open files is reached"},
		{ProcessesExhausted, "a limit of processes is reached"},
		{KeysExhausted, "the quota of keys is used up"},
		{MountSourceMissing, "the source of a mount does not exist"},
		{MountFailed, "a mount cannot be made"},
		{RootfsFailed, "the root file system cannot be used"},
		{DeviceFailed, "a device cannot be made"},
		{NamespaceFailed, "a namespace cannot be made or joined"},
		{IDMappingFailed, "ids cannot be mapped"},
		{CgroupInUse, "the cgroup has processes already, or is frozen"},
		{CgroupUnavailable, "the host has no cgroups for the container"},
		{CgroupDriverMismatch, "the path of the cgroup is for another driver"},
		{CgroupFailed, "a cgroup or one of its limits cannot be made"},
		{SystemdFailed, "systemd does not do what it is asked for"},
		{RdtFailed, "the container's place in resctrl cannot be made"},
		{NetDeviceFailed, "a network device cannot be moved"},
		{SysctlFailed, "a kernel parameter cannot be set"},
		{SeccompFailed, "the seccomp filter cannot be loaded, or its listener not be handed over"},
		{LabelFailed, "an AppArmor profile or SELinux label cannot be set"},
		{HookTimeout, "a hook did not end in time"},
		{HookFailed, "a hook failed"},
		{CommandNotFound, "the command is not in the container"},
		{CommandNotExecutable, "the command is there and cannot be executed"},
		{CwdFailed, "the working directory cannot be entered"},
		{ProcessFailed, "an attribute of the process cannot be set"},
		{InitDied, "the first process died while the container was set up or started"},
		{InitSilent, "the process does not answer"},
		{Failed, "anything else"},
	}
}

// Meaning is a code with its meaning.
type Meaning struct {
	Code Code
	Text string
}
