import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './page.css';
import { pick, useGraphiQL } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { fetcher } from './fetcher';
import { SignIn } from './SignIn';
import { storage } from './storage';
import { tour } from './tour';

/*
 * What GraphiQL has no property for: comments and queries wrap, since a phone cannot show their lines whole,
 * and the tab that is open is scrolled into sight.
 */
function Comfort() {
  const { queryEditor, variableEditor, headerEditor, activeTabIndex } = useGraphiQL(
    pick('queryEditor', 'variableEditor', 'headerEditor', 'activeTabIndex'),
  );
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor, headerEditor]) {
      editor?.updateOptions({ wordWrap: 'on', wrappingIndent: 'indent' });
    }
  }, [queryEditor, variableEditor, headerEditor]);
  useEffect(() => {
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [activeTabIndex]);
  return null;
}

function startOver(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith('graphiql:')) sessionStorage.removeItem(key);
  location.reload();
}

function Page() {
  return (
    <>
      <header className="top-bar">
        <a className="brand" href="/">
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <rect width="32" height="32" rx="8" fill="#14655c" />
            <path d="M9 21V13a7 7 0 0 1 14 0v8" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" />
            <circle cx="16" cy="21" r="3.5" fill="#7ee2c8" />
          </svg>
          <span>Custody Connect</span>
        </a>
        <button type="button" className="quiet" onClick={startOver} title="Put the ready-made tabs back">
          Start over
        </button>
        <SignIn />
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          defaultTabs={tour}
          defaultEditorToolsVisibility="variables"
          shouldPersistHeaders
          showPersistHeadersSettings={false}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
          <Comfort />
        </GraphiQL>
      </main>
    </>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<Page />);
