package read

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Entry is one picture's captions in file order.
type Entry struct {
	ID    string
	Texts []string
	Line  int // where the picture was first seen, from 1
}

// Set is an ordered collection of pictures and their captions.
type Set struct {
	Name    string // the file, for messages
	Entries []Entry
	index   map[string]int
}

// NewSet returns an empty set; name stands in messages.
func NewSet(name string) *Set { return &Set{Name: name, index: make(map[string]int)} }

// Add appends a caption to picture id, which becomes the last picture if new.
func (s *Set) Add(id, text string, line int) {
	i, ok := s.index[id]
	if !ok {
		i = len(s.Entries)
		s.index[id] = i
		s.Entries = append(s.Entries, Entry{ID: id, Line: line})
	}
	s.Entries[i].Texts = append(s.Entries[i].Texts, text)
}

// Find returns the entry of picture id.
func (s *Set) Find(id string) (Entry, bool) {
	i, ok := s.index[id]
	if !ok {
		return Entry{}, false
	}
	return s.Entries[i], true
}

// addOnce is Add for predictions: a second one for the same picture is an
// error, as it is in the official toolkit.
func (s *Set) addOnce(id, text string, line int) error {
	if e, ok := s.Find(id); ok {
		return fmt.Errorf("picture %q has a second prediction (the first is on line %d); keep one", id, e.Line)
	}
	s.Add(id, text, line)
	return nil
}

// Format is a file form.
type Format string

// The file forms. A prediction file may also be in a form that holds
// references: List, JSONL, TSV and CSV serve both.
const (
	Auto     Format = ""
	COCO     Format = "coco"     // {"images": …, "annotations": [{"image_id", "caption"}]}
	Results  Format = "results"  // [{"image_id", "caption"}]
	List     Format = "list"     // [{"image_name", "captions": […], "prediction"}]
	Karpathy Format = "karpathy" // {"images": [{"split", "filename", "sentences": [{"raw"}]}]}
	Flickr   Format = "flickr"   // picture.jpg#0<TAB>caption
	TSV      Format = "tsv"      // id<TAB>caption
	CSV      Format = "csv"      // id,caption
	JSONL    Format = "jsonl"    // one {"image_id", "caption"} or {…, "captions": […]} a line
)

// Options says how to read a file.
type Options struct {
	Format Format
	Split  string // Karpathy only: the split to keep, "" for "test"
	// SkipBad passes over lines that cannot be read, telling OnSkip (if set)
	// of each; without it the first is an error. Text forms only.
	SkipBad bool
	OnSkip  func(error)
}

// Error is a fault in a file.
type Error struct {
	File string
	Line int // from 1, 0 where it concerns the whole file
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// excerpt shortens text for a message.
func excerpt(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:60]) + "…"
	}
	return s
}
