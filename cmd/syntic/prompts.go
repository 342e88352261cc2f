package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"syntic/models/sd"
)

// maxPrompts bounds what is read of a file of prompts.
const maxPrompts = 64 << 20

// prompts returns the command line's prompts, then those of a file.
func (a *app) prompts(args []string, from string) ([]string, error) {
	list := slices.Clone(args)
	if from == "" {
		return list, nil
	}
	r := a.in
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	lines := bufio.NewScanner(io.LimitReader(r, maxPrompts))
	lines.Buffer(nil, maxPrompts)
	for lines.Scan() {
		if t := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")); t != "" {
			list = append(list, t)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no prompts; it needs one a line", from)
	}
	return list, nil
}

// pictures lists what is to be drawn and where it goes.
func (a *app) pictures(args []string, f *generateFlags) ([]picture, error) {
	if len(args) == 0 && f.from == "" {
		return nil, usagef(`generate what? Give a prompt, such as: syntic generate "a dog on a red car" -o dog.png`)
	}
	prompts, err := a.prompts(args, f.from)
	if err != nil {
		return nil, err
	}
	if f.count < 1 || f.count > 1<<20 {
		return nil, usagef("--count %d: must lie between 1 and %d", f.count, 1<<20)
	}
	if f.preview < 0 {
		return nil, usagef("--preview %d: can't be negative", f.preview)
	}
	if !pictureEnding("." + f.format) {
		return nil, usagef("--format %s: must be png, jpg or webp", f.format)
	}
	single := pictureEnding(f.out)
	if single && len(prompts)*f.count > 1 {
		return nil, usagef("-o %s: %d pictures need a folder", f.out, len(prompts)*f.count)
	}
	if ext := filepath.Ext(f.out); !single && ext != "" && ext != "." && !isFolder(f.out) {
		return nil, usagef("-o %s: cannot write %q pictures; use .png, .jpg or .webp, or name a folder that exists", f.out, ext)
	}
	list := make([]picture, 0, len(prompts)*f.count)
	taken := map[string]bool{}
	for _, text := range prompts {
		for range f.count {
			p := picture{sd.Prompt{Text: text, Negative: f.negative, Seed: f.seed + uint64(len(list))}, f.out}
			if !single {
				p.file = filepath.Join(f.out, fmt.Sprintf("%s-%d.%s", slug(text), p.Seed, f.format))
			}
			if taken[p.file] {
				return nil, fmt.Errorf("two pictures would be written to %s", p.file)
			}
			taken[p.file] = true
			list = append(list, p)
		}
	}
	if !single && !f.plan {
		return list, os.MkdirAll(f.out, 0o777)
	}
	return list, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// slug makes the beginning of a prompt a file's name.
func slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	if s := strings.TrimSuffix(b.String(), "-"); s != "" {
		return s
	}
	return "picture"
}
