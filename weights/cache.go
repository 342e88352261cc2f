package weights

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	repoName     = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)
	revisionName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[\w-][\w.-]*)*$`)
)

// FindCached returns the folder that Hugging Face's tools downloaded a model to,
// for example FindCached("openai/clip-vit-base-patch32", ""). revision is a
// branch, a tag or a commit; empty means main. It only reads.
//
// The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
//
// Errors: *FormatError naming the folder where nothing was found.
// Source: huggingface_hub/constants.py and file_download.py, try_to_load_from_cache.
func FindCached(repo, revision string) (dir string, err error) {
	if !repoName.MatchString(repo) || strings.Contains(repo, "..") {
		return "", badf(repo, "not a model name like openai/clip-vit-base-patch32")
	}
	if revision == "" {
		revision = "main"
	}
	if !revisionName.MatchString(revision) || strings.Contains(revision, "..") {
		return "", badf(repo, "%q is not a revision", revision)
	}
	hub, err := hubCache()
	if err != nil {
		return "", err
	}
	model := filepath.Join(hub, "models--"+strings.ReplaceAll(repo, "/", "--"))
	if _, err := os.Stat(model); errors.Is(err, fs.ErrNotExist) {
		return "", badf(model, "%s is not in the Hugging Face cache", repo)
	}
	commit := revision
	ref, err := os.ReadFile(filepath.Join(model, "refs", filepath.FromSlash(revision)))
	if err == nil {
		commit = strings.TrimSpace(string(ref))
	}
	if !revisionName.MatchString(commit) || strings.ContainsAny(commit, "/") {
		return "", badf(model, "revision %q is not in the cache", revision)
	}
	dir = filepath.Join(model, "snapshots", commit)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "", badf(model, "revision %q of %s is not in the cache", revision, repo)
	}
	return dir, nil
}

// hubCache returns the folder of the cache, which need not exist.
func hubCache() (string, error) {
	if dir := os.Getenv("HF_HUB_CACHE"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return filepath.Join(dir, "hub"), nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface", "hub"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "huggingface", "hub"), err
}
