package devstack

import (
	"fmt"
	"os/exec"
	"strings"
)

// MissingError says that a server's program is not installed, where it was looked for,
// and how to get it.
type MissingError struct {
	Program string   // such as "redis-server"
	Looked  []string // where it was looked for
	Hint    string   // what to type
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed (looked in %s): %s", e.Program, strings.Join(e.Looked, ", "), e.Hint)
}

// missing builds the error for the program that `install-deps.sh --only which` installs.
func missing(program, which string, looked ...string) *MissingError {
	return &MissingError{
		Program: program,
		Looked:  looked,
		Hint:    "run `make deps`, or `sh deploy/install-deps.sh --only " + which + "`",
	}
}

// inPath finds a program by the PATH of this process.
func inPath(program, which string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", missing(program, which, "PATH")
	}
	return path, nil
}
