package read

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxRecord bounds one line or JSON record, so that a file without line breaks
// cannot fill memory.
const maxRecord = 16 << 20

// lines reads the forms that hold a record a line. Blank lines are passed over.
func (p *parser) lines(r *bufio.Reader, format Format) error {
	for n := 1; ; n++ {
		line, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return &Error{File: p.set.Name, Line: n, Err: err}
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if bad := p.line(string(line), format, n); bad != nil {
				if err := p.fault(&Error{File: p.set.Name, Line: n, Err: bad}); err != nil {
					return err
				}
			}
		}
		if err != nil {
			return nil
		}
	}
}

// fault passes over e where the options allow.
func (p *parser) fault(e *Error) error {
	if !p.o.SkipBad {
		return e
	}
	if p.o.OnSkip != nil {
		p.o.OnSkip(e)
	}
	return nil
}

// readLine reads a line without its end, LF or CRLF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxRecord {
			return nil, fmt.Errorf("line is longer than %d MiB", maxRecord>>20)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			return bytes.TrimSuffix(line, []byte("\r")), err
		}
	}
}

func (p *parser) line(line string, format Format, n int) error {
	if !utf8.ValidString(line) {
		return fmt.Errorf("is not UTF-8 (%q); convert the file", excerpt(line))
	}
	if format == JSONL {
		var rec record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			return err
		}
		return p.record(&rec, n)
	}
	id, text, ok := strings.Cut(line, "\t")
	if !ok {
		return fmt.Errorf("no TAB between picture and caption in %q; insert one or skip bad lines", excerpt(line))
	}
	if format == Flickr {
		k := strings.LastIndexByte(id, '#')
		if k < 0 {
			return fmt.Errorf("no \"#number\" after the picture's name in %q", excerpt(id))
		}
		id = id[:k]
	}
	return p.add(strings.TrimSpace(id), []string{text}, n)
}

// csv reads comma-separated values with a header that names the columns.
func (p *parser) csv(r io.Reader) error {
	c := csv.NewReader(&capped{r: r})
	c.FieldsPerRecord, c.ReuseRecord, c.LazyQuotes = -1, true, false
	head, err := c.Read()
	if err != nil {
		return &Error{File: p.set.Name, Line: 1, Err: err}
	}
	id, text := -1, -1
	for i, name := range head {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "image_id", "image", "image_name", "id", "filename", "file_name", "file":
			id = i
		case "caption", "prediction", "text":
			text = i
		}
	}
	if id < 0 || text < 0 {
		return &Error{File: p.set.Name, Line: 1, Err: fmt.Errorf("the header %q names no picture column (image_id, image, id, filename) or no caption column (caption, prediction)", excerpt(strings.Join(head, ",")))}
	}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line := 0
		switch pe := new(csv.ParseError); {
		case errors.As(err, &pe):
			line, err = pe.StartLine, pe.Err
		case err != nil:
			return err // the stream itself failed: there is no next record
		default:
			line, _ = c.FieldPos(0)
			err = p.row(rec, len(head), id, text, line)
		}
		if err != nil {
			if err := p.fault(&Error{File: p.set.Name, Line: line, Err: err}); err != nil {
				return err
			}
		}
	}
}

// row takes one CSV record, whose memory is used again for the next.
func (p *parser) row(rec []string, columns, id, text, line int) error {
	if len(rec) <= max(id, text) {
		return fmt.Errorf("has %d columns, the header %d", len(rec), columns)
	}
	if !utf8.ValidString(rec[text]) {
		return errors.New("is not UTF-8; convert the file")
	}
	return p.add(strings.Clone(strings.TrimSpace(rec[id])), []string{strings.Clone(rec[text])}, line)
}

var errTooLong = fmt.Errorf("more than %d MiB without a line break", maxRecord>>20)

// capped fails when a stream goes on for too long without a line break.
type capped struct {
	r     io.Reader
	since int
}

func (c *capped) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if k := bytes.LastIndexByte(b[:n], '\n'); k >= 0 {
		c.since = n - k
	} else {
		c.since += n
	}
	if c.since > maxRecord {
		return 0, errTooLong
	}
	return n, err
}

// record is one JSON object of COCO, JSONL, Results or List.
type record struct {
	ImageID    json.RawMessage `json:"image_id"`
	ImageName  json.RawMessage `json:"image_name"`
	Image      json.RawMessage `json:"image"`
	ID         json.RawMessage `json:"id"`
	Filename   json.RawMessage `json:"filename"`
	Caption    *string         `json:"caption"`
	Prediction *string         `json:"prediction"`
	Captions   []string        `json:"captions"`
}

func (p *parser) record(rec *record, line int) error {
	var id string
	for _, v := range []json.RawMessage{rec.ImageID, rec.ImageName, rec.Image, rec.Filename, rec.ID} {
		if id = name(v); id != "" {
			break
		}
	}
	texts := rec.Captions
	switch {
	case !p.references && rec.Prediction != nil:
		texts = []string{*rec.Prediction}
	case rec.Caption != nil && (!p.references || texts == nil):
		texts = []string{*rec.Caption}
	case !p.references && len(rec.Captions) != 1:
		return fmt.Errorf("picture %q has no \"prediction\" or \"caption\"", id)
	}
	if texts == nil {
		return fmt.Errorf("picture %q has no \"caption\" or \"captions\"", id)
	}
	return p.add(id, texts, line)
}

// name writes a picture's name or number as text.
func name(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(v, &n) == nil {
		return n.String()
	}
	return ""
}
