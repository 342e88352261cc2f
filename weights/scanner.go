package weights

import (
	"encoding/json"
	"fmt"
)

// scanner walks JSON text of a known structure without allocating for it.
type scanner struct {
	b   []byte
	pos int
}

// syntaxError says what is wrong with the text and at which byte.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

func (s *scanner) errorf(format string, args ...any) error {
	return syntaxError(fmt.Sprintf(format, args...) + fmt.Sprintf(" at byte %d", s.pos))
}

func (s *scanner) space() {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// accept consumes c after white space.
func (s *scanner) accept(c byte) bool {
	s.space()
	if s.pos < len(s.b) && s.b[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// list reads items separated by commas between two brackets.
func (s *scanner) list(first, last byte, item func() error) error {
	if !s.accept(first) {
		return s.errorf("expected %q", first)
	}
	if s.accept(last) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.accept(last) {
			return nil
		}
		if !s.accept(',') {
			return s.errorf("expected ',' or %q", last)
		}
	}
}

// object reads the keys of an object and calls value at each value.
func (s *scanner) object(value func(key string) error) error {
	return s.list('{', '}', func() error {
		key, err := s.text(MaxName)
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.errorf("expected ':'")
		}
		return value(key)
	})
}

// rawString returns a string with its quotes, not decoded.
func (s *scanner) rawString() ([]byte, error) {
	if !s.accept('"') {
		return nil, s.errorf("expected a string")
	}
	begin := s.pos - 1
	for ; s.pos < len(s.b); s.pos++ {
		switch c := s.b[s.pos]; {
		case c == '"':
			s.pos++
			return s.b[begin:s.pos], nil
		case c == '\\':
			s.pos++
		case c < ' ':
			return nil, s.errorf("control character in a string")
		}
	}
	return nil, s.errorf("string without end")
}

// text returns a decoded string of at most limit bytes.
func (s *scanner) text(limit int) (string, error) {
	raw, err := s.rawString()
	if err != nil {
		return "", err
	}
	if len(raw)-2 > limit {
		return "", s.errorf("string of %d bytes exceeds %d", len(raw)-2, limit)
	}
	for _, c := range raw {
		if c == '\\' {
			var v string
			if err := json.Unmarshal(raw, &v); err != nil {
				return "", s.errorf("bad escape in a string")
			}
			return v, nil
		}
	}
	return string(raw[1 : len(raw)-1]), nil
}
