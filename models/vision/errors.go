package vision

import (
	"fmt"
	"strings"
)

// Kind says why a picture was refused, so that a server can choose a status.
type Kind int

const (
	// Empty is a file of no bytes.
	Empty Kind = iota + 1
	// Unsupported is something else than the formats [Decode] reads, or a
	// feature of one that it does not; Format names it.
	Unsupported
	// Truncated is a file that ends too early. No part of it is returned.
	Truncated
	// TooLarge is a file or a picture above the [Limits].
	TooLarge
	// Corrupt is a file of a known format that breaks its rules.
	Corrupt
)

// Error is what [Decode] returns for every fault of the input.
type Error struct {
	Kind   Kind
	Format string // "JPEG", "HEIC", ...; "" when nothing was recognised
	Detail string
	Err    error // the decoder's own words, or nil
}

func (e *Error) Error() string {
	s := "picture"
	if e.Format != "" {
		s = e.Format + " picture"
	}
	switch e.Kind {
	case Empty:
		return "picture: the file is empty"
	case Unsupported:
		s += " not supported"
	case Truncated:
		s += " is truncated"
	case TooLarge:
		s += " is too large"
	default:
		s += " is damaged"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the decoder's own error.
func (e *Error) Unwrap() error { return e.Err }

// decoderError gives an error of a format's decoder its kind, by its words:
// most decoders have no types for it, and wrap io.ErrUnexpectedEOF as text.
func decoderError(format string, err error) *Error {
	text := err.Error()
	kind := Corrupt
	switch {
	case strings.Contains(text, "EOF"), strings.Contains(text, "not enough"):
		kind = Truncated
	case strings.Contains(text, "unsupported"), strings.Contains(text, "not implemented"):
		kind = Unsupported
	}
	return &Error{Kind: kind, Format: format, Err: err}
}

func corrupt(format, detail string, a ...any) *Error {
	return &Error{Kind: Corrupt, Format: format, Detail: fmt.Sprintf(detail, a...)}
}

func truncated(format, detail string, a ...any) *Error {
	return &Error{Kind: Truncated, Format: format, Detail: fmt.Sprintf(detail, a...)}
}
