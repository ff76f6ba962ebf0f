"""Versions as files for the people who own the prompts: shown, compared, and written as a git repository.

yaml_text     a JSON value as YAML, the same bytes on every machine
rendering     a configuration as the files of a folder, and the folder's name
places        versions of a snapshot by moment: one assistant, or all that were live
shown         a version as one text
moments       the history as moments: which assistants appeared, changed, went or came back
repository    a git repository that only puretalk writes: refuse, repair, import, check out
git_history   the history as commits, begun and continued
comparison    two sides of a diff: moments, snapshots, assistants, another account
diff_text     a comparison as text, Markdown, JSON or HTML
restore_plan  what to type back into PureTalk to return to an earlier version
"""
