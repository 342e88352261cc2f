package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"syntic/tools/metrics/read"
)

// captionFolder captions the pictures of --images and gives each the id that
// the references know it by. A picture that can't be read is an error here: the
// scores would be of another set.
func (a *app) captionFolder(ctx context.Context, f *evaluateFlags, refs *read.Set) (hyps *read.Set, err error) {
	names, err := expand([]string{f.images}, false)
	if err != nil {
		return nil, err
	}
	ids, err := pictureIDs(f.references, refs, names)
	if err != nil {
		return nil, err
	}
	d, err := a.openDevice()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	m, err := a.openCaptioner(ctx, d, f.caption.memory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	p := a.newProgress("pictures", len(names))
	defer p.finish()
	hyps = read.NewSet(f.images)
	for lo := 0; lo < len(names); lo += f.caption.batch {
		part := names[lo:min(lo+f.caption.batch, len(names))]
		var bad error
		pictures, _, err := a.readBatch(ctx, part, func(_ int, err error) { bad = err })
		if bad != nil {
			return nil, bad
		}
		results, err := m.Caption(ctx, pictures, f.caption.opts)
		if err != nil {
			return nil, err
		}
		for i, r := range results {
			hyps.Add(ids[lo+i], r.Caption, lo+i+1)
		}
		p.add(len(part))
	}
	return hyps, nil
}

// pictureIDs finds each file's id among the references: the id that a COCO
// annotation file gives its name, else its name, its name without ending, or
// the number its name ends in (COCO_val2014_000000008775 is picture 8775).
func pictureIDs(path string, refs *read.Set, names []string) ([]string, error) {
	listed, err := annotatedNames(path)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(names))
	for i, n := range names {
		base := filepath.Base(n)
		stem := strings.TrimSuffix(base, filepath.Ext(base))
		digits := stem[strings.LastIndexFunc(stem, func(r rune) bool { return r < '0' || r > '9' })+1:]
		number := strings.TrimLeft(digits, "0")
		for _, id := range []string{listed[base], base, stem, number} {
			if _, ok := refs.Find(id); ok && id != "" {
				ids[i] = id
				break
			}
		}
		if ids[i] == "" {
			return nil, fmt.Errorf("%s: %s has no captions for this picture", n, path)
		}
	}
	return ids, nil
}

// annotatedNames returns the ids that a COCO annotation file gives file names;
// none for other forms.
func annotatedNames(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Images []struct {
			ID   int    `json:"id"`
			Name string `json:"file_name"`
		} `json:"images"`
	}
	ids := map[string]string{}
	if json.Unmarshal(data, &doc) == nil { // another form has other fields or isn't JSON
		for _, i := range doc.Images {
			ids[i.Name] = strconv.Itoa(i.ID)
		}
	}
	return ids, nil
}
