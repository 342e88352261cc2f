package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes the process's command line and returns its exit code: 0 done,
// 1 something failed, 2 the command line is wrong, 130 interrupted.
func run(args []string) int {
	// The first Ctrl-C lets work in hand end cleanly; after it, the default
	// handling is back, so that a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, patience: fetchTimeout, memory: availableMemory}
	if columns, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil {
		a.columns = columns
	}
	return a.run(ctx, args)
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	cmd := newRoot(a)
	cmd.SetArgs(args)
	return a.exit(cmd.ExecuteContext(ctx))
}

// exit reports an error and returns the exit code.
func (a *app) exit(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "syntic: interrupted")
		return 130
	case errors.Is(err, syscall.EPIPE):
		return 1 // whoever read our output has left: nothing to say, nobody to hear it
	case errors.As(err, &usage):
		fmt.Fprintf(a.err, "syntic: %v\nSee `syntic help`.\n", err)
		return 2
	}
	fmt.Fprintf(a.err, "syntic: %v\n", err)
	return 1
}

// errReported ends a command whose failures were already printed one by one.
var errReported = errors.New("some inputs failed")

// usageError is a mistake in the command line.
type usageError struct{ err error }

// Error implements error.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake itself.
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}
