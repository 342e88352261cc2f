package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syntic/models/vision"
	"syntic/tools/world"
)

// endings are the file names taken from a folder; a file named by itself is
// judged by its content alone.
var endings = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// fetchTimeout bounds the download of one picture.
const fetchTimeout = 30 * time.Second

// expand turns arguments into picture names: files, folders (all pictures below
// them, in order), patterns that the shell left alone, sample names, URLs where
// fetching is allowed, and "-" for standard input.
func expand(args []string, fetch bool) ([]string, error) {
	var names []string
	for _, arg := range args {
		switch {
		case arg == "-" || strings.HasPrefix(arg, world.SamplePrefix):
			names = append(names, arg)
		case isURL(arg):
			if !fetch {
				return nil, usagef("%s: URLs are not fetched unless --fetch is given", arg)
			}
			names = append(names, arg)
		default:
			found, err := expandPath(arg)
			if err != nil {
				return nil, err
			}
			names = append(names, found...)
		}
	}
	return names, nil
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func expandPath(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && !info.IsDir():
		return []string{arg}, nil
	case err == nil:
		return folder(arg)
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(arg, "*?["):
		return []string{arg}, nil // reported when it is read, so that the others go on
	case strings.ContainsAny(arg, "*?["):
		found, err := filepath.Glob(arg)
		if err != nil {
			return nil, usagef("%s: %v", arg, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no file matches", arg)
		}
		return found, nil
	}
	return nil, err
}

// folder lists the pictures below a folder, which may itself be a link to one.
func folder(dir string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && slices.Contains(endings, strings.ToLower(filepath.Ext(path))) {
			names = append(names, filepath.Join(dir, path))
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: no pictures (%s) in this folder", dir, strings.Join(endings, " "))
	}
	return names, err
}

// readPicture decodes one expanded name.
func (a *app) readPicture(ctx context.Context, name string) (*vision.Picture, error) {
	r, err := a.openPicture(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, _, err := vision.Decode(r, vision.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (a *app) openPicture(ctx context.Context, name string) (io.ReadCloser, error) {
	switch {
	case name == "-":
		return io.NopCloser(&interruptible{ctx: ctx, r: a.in}), nil
	case strings.HasPrefix(name, world.SamplePrefix):
		return world.OpenSample(name)
	case isURL(name):
		return a.fetch(ctx, name)
	}
	return os.Open(name)
}

// interruptible is a reader that gives up waiting when its context ends: a read
// from a terminal or a silent pipe returns by itself only when data comes.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buf := make([]byte, len(p)) // p is the caller's again once Read returns
		n, err := i.r.Read(buf)
		done <- result{buf[:n], err}
	}()
	select {
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	case r := <-done:
		return copy(p, r.data), r.err
	}
}

// fetch downloads a picture; the decoder's own limit bounds its size.
func (a *app) fetch(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Timeout: a.patience}).Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // it names where redirects led; we name what was asked for
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: the server answered %s", address, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}
