package read

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// References reads the reference captions in path.
// Errors: *Error with file and line.
func References(path string, o Options) (*Set, error) { return readFile(path, o, true) }

// Predictions reads one prediction per picture from path.
// Errors: *Error with file and line; a second prediction for a picture.
func Predictions(path string, o Options) (*Set, error) { return readFile(path, o, false) }

func readFile(path string, o Options, references bool) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	s, err := parse(f, filepath.Base(path), o, references)
	var e *Error
	if errors.As(err, &e) {
		e.File = path
	}
	return s, err
}

// parse reads one stream. name is used to guess the form and in messages.
func parse(r io.Reader, name string, o Options, references bool) (*Set, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{File: name, Err: err}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, &Error{File: name, Line: 1, Err: errors.New("is UTF-16; save it as UTF-8")}
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = br.Discard(3)
		head = head[3:]
	}
	if len(head) < 4096 && len(bytes.TrimSpace(head)) == 0 {
		return nil, &Error{File: name, Err: errors.New("is empty")}
	}
	format := o.Format
	if format == Auto {
		if format, err = guess(head, name, references); err != nil {
			return nil, &Error{File: name, Line: 1, Err: err}
		}
	}
	s := NewSet(name)
	p := &parser{set: s, o: o, references: references}
	switch format {
	case COCO, Karpathy, Results, List:
		err = p.json(br, format)
	case Flickr, TSV, JSONL:
		err = p.lines(br, format)
	case CSV:
		err = p.csv(br)
	default:
		err = fmt.Errorf("unknown form %q; known: coco, results, list, karpathy, flickr, tsv, csv, jsonl", format)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			err = &Error{File: name, Err: err}
		}
		return nil, err
	}
	if len(s.Entries) == 0 {
		return nil, &Error{File: name, Err: fmt.Errorf("holds no captions in the form %q; name another form", format)}
	}
	return s, nil
}

// parser fills a set.
type parser struct {
	set        *Set
	o          Options
	references bool
}

// add takes one record's captions.
func (p *parser) add(id string, texts []string, line int) error {
	if id == "" {
		return errors.New("has no picture name or number")
	}
	if p.references {
		for _, t := range texts {
			p.set.Add(id, t, line)
		}
		return nil
	}
	if len(texts) != 1 {
		return fmt.Errorf("picture %q has %d predictions; give one", id, len(texts))
	}
	return p.set.addOnce(id, texts[0], line)
}

// guess tells the form from the first bytes and the name.
func guess(head []byte, name string, references bool) (Format, error) {
	text := bytes.TrimSpace(head)
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".jsonl" || ext == ".ndjson":
		return JSONL, nil
	case ext == ".csv":
		return CSV, nil
	case ext == ".tsv":
		return TSV, nil
	}
	switch text0 := firstByte(text); {
	case text0 == '[':
		if k := bytes.IndexByte(text, '}'); k >= 0 {
			text = text[:k]
		}
		if bytes.Contains(text, []byte(`"captions"`)) || bytes.Contains(text, []byte(`"prediction"`)) {
			return List, nil
		}
		return Results, nil
	case text0 == '{':
		line, _, more := bytes.Cut(text, []byte("\n"))
		if more && bytes.HasSuffix(bytes.TrimSpace(line), []byte("}")) || !more && !bytes.Contains(text, []byte(`"images"`)) && !bytes.Contains(text, []byte(`"annotations"`)) && bytes.HasSuffix(text, []byte("}")) {
			return JSONL, nil
		}
		if bytes.Contains(text, []byte(`"sentences"`)) || bytes.Contains(text, []byte(`"sentids"`)) {
			return Karpathy, nil
		}
		return COCO, nil
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	id, _, ok := bytes.Cut(line, []byte("\t"))
	if ok && references && bytes.Contains(id, []byte("#")) {
		return Flickr, nil
	}
	if ok {
		return TSV, nil
	}
	if bytes.Contains(line, []byte("#")) && references {
		return Flickr, nil
	}
	return "", errors.New("cannot tell the file's form from its start; name it (coco, results, list, karpathy, flickr, tsv, csv, jsonl)")
}

func firstByte(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}
