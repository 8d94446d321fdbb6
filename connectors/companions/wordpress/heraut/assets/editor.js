/* The box and the preview beside a post. Plain JavaScript: nothing has to be built. */
(function () {
	'use strict';
	const told = window.herautEditor;
	if (!told) {
		return;
	}
	const text = told.text;

	function preview(edited) {
		return window.wp.apiFetch({ path: told.route, method: 'POST', data: edited });
	}

	/** What is shown of an answer, as lines of plain text. */
	function lines(answer) {
		const missing = answer.media.some((file) => !file.alt);
		return {
			says: answer.says,
			note: answer.note,
			about: text.about + ' ' + answer.language,
			media: answer.media.map((file) => '▣ ' + (file.alt || '—') + ' (' + file.url.split('/').pop() + ')'),
			warning: missing ? text.no_alt : '',
		};
	}

	function panel() {
		const wp = window.wp;
		const el = wp.element.createElement;
		const Panel = (wp.editor && wp.editor.PluginDocumentSettingPanel) || wp.editPost.PluginDocumentSettingPanel;

		function Fediverse() {
			const attribute = (name) => wp.data.useSelect((select) => select('core/editor').getEditedPostAttribute(name), [name]);
			const chosen = attribute(told.field);
			const [shown, show] = wp.element.useState(null);
			const ticked = chosen === '1' || (chosen !== '0' && told.ticked);

			function ask() {
				const edited = wp.data.select('core/editor');
				const get = (name) => edited.getEditedPostAttribute(name);
				show({ busy: true });
				preview({
					title: get('title') || '', content: edited.getEditedPostContent(), excerpt: get('excerpt') || '',
					featured: get('featured_media') || 0, send: get(told.field) || '',
				}).then((answer) => show(lines(answer)), (problem) => show({ says: problem.message }));
			}

			const answer = shown && (shown.busy
				? el('p', null, text.busy)
				: el('div', { 'aria-live': 'polite', style: { marginTop: '12px' } },
					el('p', null, el('strong', null, shown.says)),
					shown.note && el('pre', { className: 'heraut-note', style: noteStyle }, shown.note),
					(shown.media || []).map((line, n) => el('p', { key: n }, line)),
					shown.warning && el('p', null, '⚠ ' + shown.warning),
					shown.about && el('p', null, shown.about)));
			return el(Panel, { name: 'heraut', title: text.title, className: 'heraut-panel' },
				el(wp.components.CheckboxControl, {
					label: text.box, help: text.help, checked: ticked,
					onChange: (on) => wp.data.dispatch('core/editor').editPost({ [told.field]: on ? '1' : '0' }),
				}),
				el(wp.components.Button, { variant: 'secondary', onClick: ask }, text.preview),
				answer,
				told.history && el('p', null, told.history));
		}
		wp.plugins.registerPlugin('heraut', { render: Fediverse, icon: null });
	}

	const noteStyle = { whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', padding: '8px', border: '1px solid #949494' };

	function box(button) {
		const here = document.getElementById('heraut-preview-here');
		const value = (id) => (document.getElementById(id) || { value: '' }).value;
		const sentence = (name, content) => {
			if (content) {
				const element = document.createElement(name);
				element.textContent = content;
				here.append(element);
				return element;
			}
		};
		button.addEventListener('click', () => {
			if (window.tinymce && window.tinymce.get('content') && !window.tinymce.get('content').isHidden()) {
				window.tinymce.get('content').save();
			}
			here.textContent = text.busy;
			preview({
				title: value('title'), content: value('content'), excerpt: value('excerpt'),
				featured: Math.max(0, parseInt(value('_thumbnail_id'), 10) || 0),
				send: document.getElementById('heraut-send').checked ? '1' : '0',
			}).then(lines, (problem) => ({ says: problem.message, media: [] })).then((shown) => {
				here.textContent = '';
				sentence('p', shown.says);
				const note = sentence('pre', shown.note);
				if (note) {
					Object.assign(note.style, noteStyle);
				}
				shown.media.forEach((line) => sentence('p', line));
				sentence('p', shown.warning && '⚠ ' + shown.warning);
				sentence('p', shown.about);
			});
		});
	}

	const button = document.getElementById('heraut-preview');
	if (button) {
		box(button);
	} else if (window.wp && window.wp.plugins) {
		panel();
	}
}());
